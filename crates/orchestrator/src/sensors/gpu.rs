//! Which GPUs there are: those of which NVIDIA's management library (NVML) tells; where that is not there or does not work, those that the
//! driver lists in `/proc/driver/nvidia/gpus`, one folder each, as its README says.
//!
//! GPUs of other makers are not counted: a graphics unit within a processor is listed like a card. Their owner says `gpu = "true"`.

use super::{entries, nvml, text};
use crate::limits;
use domain::capacity::Gpu;
use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Gpus(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// What was found last.
    seen: Option<Seen>,
    /// Where the answer of the library comes that was asked; none: it is not being asked.
    answer: Option<Receiver<Seen>>,
}

/// What was found.
#[derive(Debug)]
struct Seen {
    /// What the driver listed then.
    listed: Vec<PathBuf>,
    gpus: Vec<Gpu>,
}

impl Gpus {
    /// Those that are known. The library is asked at first, and where the driver lists others than then: it may have to wake each GPU. As
    /// long as it does not answer, those count that were found last; before there were any, those that the driver lists.
    pub(super) fn now(&self, root: &Path) -> Vec<Gpu> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = entries(&root.join("proc/driver/nvidia/gpus")).unwrap_or_default();
        known.hear(Duration::ZERO);
        if known.answer.is_none() && known.seen.as_ref().is_none_or(|seen| seen.listed != listed) {
            known.answer = ask(library(root), listed.clone());
            known.hear(limits::GPUS_ANSWER_WAIT);
        }
        known.seen.as_ref().map_or_else(|| by_driver(&listed), |seen| seen.gpus.clone())
    }
}

impl Known {
    /// Takes the answer, if it comes within `wait`.
    fn hear(&mut self, wait: Duration) {
        let Some(answer) = &self.answer else { return };
        match answer.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            heard => {
                self.seen = heard.ok().or_else(|| self.seen.take());
                self.answer = None;
            }
        }
    }
}

/// Asks the library, in a thread of its own: one that does not come back holds nobody up, and is not asked by a second.
fn ask(library: PathBuf, listed: Vec<PathBuf>) -> Option<Receiver<Seen>> {
    let (tell, answer) = mpsc::channel();
    let asking = move || {
        let gpus = nvml::gpus(&library).unwrap_or_else(|| by_driver(&listed));
        // Nobody hears it where the org was closed.
        let _ = tell.send(Seen { listed, gpus });
    };
    let begun = thread::Builder::new().name("gpus".into()).spawn(asking);
    begun.inspect_err(|error| tracing::warn!(%error, "NVIDIA's management library could not be asked; it is tried again")).ok()?;
    Some(answer)
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
    listed.iter().filter_map(one).take(limits::GPUS_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::tests::root, *};
    use std::{fs, process::Command, time::Instant};

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

    /// Those that are known once nobody is being asked any more.
    fn found(gpus: &Gpus, root: &Path) -> Vec<Gpu> {
        let begun = Instant::now();
        loop {
            let now = gpus.now(root);
            if gpus.0.lock().unwrap().answer.is_none() {
                return now;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "the library does not answer");
            thread::yield_now();
        }
    }

    #[test]
    fn each_gpu_of_the_driver_counts_where_the_library_is_not() {
        let gpus = root(&[(LISTED, ABOUT), ("proc/driver/nvidia/gpus/0000:0f:00.0/information", ABOUT)]);
        assert_eq!(Gpus::default().now(gpus.path()), vec![gpu("NVIDIA A100-SXM4-40GB", None); 2]);
        let none = root(&[("proc/driver/nvidia/version", "NVRM version: x\n")]);
        assert!(Gpus::default().now(none.path()).is_empty());
    }

    #[test]
    fn the_library_tells_names_and_memory_and_is_asked_again_only_where_the_driver_lists_others() {
        let root = root(&[(LISTED, ABOUT)]);
        build(root.path(), LIBRARY, 0);
        let gpus = Gpus::default();
        assert_eq!(found(&gpus, root.path()), [gpu("NVIDIA A100-SXM4-40GB", Some(42_949_672_960)), gpu("NVIDIA GB10", None)]);
        fs::remove_file(root.path().join("usr/lib").join(nvml::FILE)).unwrap();
        assert_eq!(found(&gpus, root.path()).len(), 2, "it was not asked");
        let more = root.path().join("proc/driver/nvidia/gpus/0000:0f:00.0");
        fs::create_dir_all(&more).unwrap();
        fs::write(more.join("information"), "Model: NVIDIA T4").unwrap();
        assert_eq!(found(&gpus, root.path()), [gpu("NVIDIA A100-SXM4-40GB", None), gpu("NVIDIA T4", None)]);
    }

    #[test]
    fn a_library_that_does_not_answer_holds_nobody_up_and_is_heard_once_it_does() {
        let root = root(&[(LISTED, ABOUT)]);
        let awake = root.path().join("awake");
        let waits = format!("while (access({awake:?}, 0)) usleep(1000); runs +=");
        let source = LIBRARY.replace("runs +=", &waits);
        build(root.path(), &format!("int access(const char *, int); int usleep(unsigned);{source}"), 0);
        let gpus = Gpus::default();
        for look in ["it is asked", "it is being asked"] {
            assert_eq!(gpus.now(root.path()), [gpu("NVIDIA A100-SXM4-40GB", None)], "{look}");
        }
        fs::write(awake, "").unwrap();
        assert_eq!(found(&gpus, root.path()).len(), 2);
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
            assert_eq!(found(&Gpus::default(), root.path()), [gpu("NVIDIA A100-SXM4-40GB", None)], "{:?}", root.path());
        }
    }
}
