//! Which GPUs there are: those of which NVIDIA's management library (NVML) tells; where that is not there or does not work, those that the
//! driver lists in `/proc/driver/nvidia/gpus`, one folder each, as its README says.
//!
//! GPUs of other makers are not counted: a graphics unit within a processor is listed like a card. Their owner says `gpu = "true"`.

use super::{entries, nvml, text};
use crate::limits;
use domain::capacity::Gpu;
use std::path::{Path, PathBuf};

/// What was found last.
#[derive(Debug)]
pub(super) struct Seen {
    /// What the driver listed then.
    listed: Vec<PathBuf>,
    pub(super) gpus: Vec<Gpu>,
}

/// Looks for them. The library is asked at first, and where the driver lists others than `before`: it may have to wake each GPU.
pub(super) fn look(root: &Path, before: Option<Seen>) -> Seen {
    let listed = entries(&root.join("proc/driver/nvidia/gpus")).unwrap_or_default();
    if let Some(seen) = before.filter(|seen| seen.listed == listed) {
        return seen;
    }
    let mut gpus = nvml::gpus(&library(root)).unwrap_or_else(|| by_driver(&listed));
    gpus.truncate(limits::GPUS_MAX);
    Seen { listed, gpus }
}

/// The library: where the system finds it; in a folder that tests name, only there.
fn library(root: &Path) -> PathBuf {
    if root == Path::new("/") { nvml::FILE.into() } else { root.join("usr/lib").join(nvml::FILE) }
}

/// What the driver's own files tell: no memory.
fn by_driver(listed: &[PathBuf]) -> Vec<Gpu> {
    let one = |folder: &PathBuf| {
        let about = text(&folder.join("information"))?;
        let name = about.lines().find_map(|line| line.strip_prefix("Model:"))?.trim().to_owned();
        Some(Gpu { name, memory_bytes: None })
    };
    listed.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::tests::root, *};
    use std::{fs, process::Command};

    const LISTED: &str = "proc/driver/nvidia/gpus/0000:07:00.0/information";
    const ABOUT: &str = "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 64\nBus Location: \t 0000:07:00.0\n";

    /// A library with the functions of NVML that are used, as its `nvml.h` declares them: three GPUs, of which one may not be used, and one
    /// has no memory of its own. What is asked before the start or after the end fails.
    const LIBRARY: &str = r#"
        static int runs; static char gpus[3];
        unsigned nvmlInit_v2(void) { runs += START == 0; return START; }
        unsigned nvmlShutdown(void) { runs--; return 0; }
        unsigned nvmlDeviceGetCount_v2(unsigned *count) { *count = 3; return runs == 1 ? 0 : 1; }
        unsigned nvmlDeviceGetHandleByIndex_v2(unsigned index, void **gpu) { *gpu = gpus + index; return index == 1 ? 4 : 0; }
        unsigned nvmlDeviceGetName(void *gpu, char *name, unsigned size) {
            const char *is = gpu == gpus ? "NVIDIA A100-SXM4-40GB" : "NVIDIA GB10";
            unsigned at = 0;
            if (size != 96) return 7;
            do name[at] = is[at]; while (is[at++]);
            return 0;
        }
        unsigned nvmlDeviceGetMemoryInfo(void *gpu, unsigned long long memory[3]) {
            memory[0] = 42949672960ULL; memory[1] = memory[2] = 1;
            return gpu == gpus ? 0 : 3;
        }
    "#;

    /// Builds a library from a source, with what the start answers; 0: it works.
    fn build(root: &Path, source: &str, start: u32) {
        let (file, folder) = (root.join("nvml.c"), root.join("usr/lib"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, source).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-o"]).arg(folder.join(nvml::FILE)).arg(format!("-DSTART={start}")).arg(&file);
        assert!(cc.status().unwrap().success());
    }

    fn gpu(name: &str, memory_bytes: Option<u64>) -> Gpu {
        Gpu { name: name.into(), memory_bytes }
    }

    #[test]
    fn each_gpu_of_the_driver_counts_where_the_library_is_not() {
        let gpus = root(&[(LISTED, ABOUT), ("proc/driver/nvidia/gpus/0000:0f:00.0/information", ABOUT)]);
        assert_eq!(look(gpus.path(), None).gpus, vec![gpu("NVIDIA A100-SXM4-40GB", None); 2]);
        let none = root(&[("proc/driver/nvidia/version", "NVRM version: x\n")]);
        assert!(look(none.path(), None).gpus.is_empty());
    }

    #[test]
    fn the_library_tells_names_and_memory_and_is_asked_again_only_where_the_driver_lists_others() {
        let root = root(&[(LISTED, ABOUT)]);
        build(root.path(), LIBRARY, 0);
        let seen = look(root.path(), None);
        assert_eq!(seen.gpus, [gpu("NVIDIA A100-SXM4-40GB", Some(42_949_672_960)), gpu("NVIDIA GB10", None)]);
        fs::remove_file(root.path().join("usr/lib").join(nvml::FILE)).unwrap();
        let again = look(root.path(), Some(seen));
        assert_eq!(again.gpus.len(), 2, "it was not asked");
        let more = root.path().join("proc/driver/nvidia/gpus/0000:0f:00.0");
        fs::create_dir_all(&more).unwrap();
        fs::write(more.join("information"), "Model: NVIDIA T4").unwrap();
        assert_eq!(look(root.path(), Some(again)).gpus, [gpu("NVIDIA A100-SXM4-40GB", None), gpu("NVIDIA T4", None)]);
    }

    #[test]
    fn a_library_that_does_not_work_leaves_it_to_the_driver() {
        let (fails, lacks, text) = (root(&[(LISTED, ABOUT)]), root(&[(LISTED, ABOUT)]), root(&[(LISTED, ABOUT)]));
        // Of another version than the driver, as after an update until the machine is started again.
        build(fails.path(), LIBRARY, 18);
        build(lacks.path(), "int nothing;", 0);
        fs::create_dir_all(text.path().join("usr/lib")).unwrap();
        fs::write(text.path().join("usr/lib").join(nvml::FILE), "not a library").unwrap();
        for root in [fails, lacks, text] {
            assert_eq!(look(root.path(), None).gpus, [gpu("NVIDIA A100-SXM4-40GB", None)], "{:?}", root.path());
        }
    }
}
