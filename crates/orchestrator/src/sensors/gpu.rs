//! How many GPUs there are: those that NVIDIA's driver lists in `/proc/driver/nvidia/gpus`, one folder each, as its README says.
//!
//! NVML would tell memory and load too, but is a library to be loaded into this process, for figures that nothing here asks for. GPUs
//! of other makers are not counted: a graphics unit within a processor is listed like a card. Their owner says `gpu = "true"`.

use super::{entries, text};
use std::path::Path;

pub(super) fn count(root: &Path) -> u32 {
    let gpus = entries(&root.join("proc/driver/nvidia/gpus")).unwrap_or_default();
    let there = gpus.iter().filter(|gpu| text(&gpu.join("information")).is_some_and(|text| text.contains("Model:")));
    u32::try_from(there.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::root, *};

    #[test]
    fn each_gpu_of_the_driver_counts() {
        let about = "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 64\nBus Location: \t 0000:07:00.0\n";
        let gpus =
            [("proc/driver/nvidia/gpus/0000:07:00.0/information", about), ("proc/driver/nvidia/gpus/0000:0f:00.0/information", about)];
        assert_eq!(count(root(&gpus).path()), 2);
        assert_eq!(count(root(&[("proc/driver/nvidia/version", "NVRM version: x\n")]).path()), 0);
    }
}
