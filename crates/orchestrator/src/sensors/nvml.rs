//! NVIDIA's management library (NVML): loaded to be asked, and let go again. Functions, types and numbers are those of its `nvml.h`, as the
//! NVML API Reference Guide has them. It knows nothing of where the library lies.
#![allow(unsafe_code)]

use crate::limits;
use domain::capacity::Gpu;
use std::{
    ffi::{CStr, CString, c_char, c_uint, c_ulonglong, c_void},
    mem,
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr::{self, NonNull},
};

/// What the driver calls it.
pub(super) const FILE: &str = "libnvidia-ml.so.1";
/// `NVML_SUCCESS`.
const SUCCESS: c_uint = 0;
/// `NVML_DEVICE_NAME_V2_BUFFER_SIZE`, in bytes.
const NAME_BYTES: c_uint = 96;

/// `nvmlDevice_t`: only the library knows what it points to.
type Device = *mut c_void;

/// `nvmlMemory_t`, in bytes.
#[repr(C)]
#[derive(Default)]
struct Memory {
    total: c_ulonglong,
    _free: c_ulonglong,
    _used: c_ulonglong,
}

/// The GPUs of which the library tells that this process may use; none: it is not there, is another, or does not work.
pub(super) fn gpus(library: &Path) -> Option<Vec<Gpu>> {
    let nvml = Nvml::open(library)?;
    // SAFETY: it takes nothing.
    let started = unsafe { (nvml.init)() };
    if started != SUCCESS {
        tracing::info!(code = started, "NVIDIA's management library does not work here; GPUs are those that the driver lists");
        return None;
    }
    let found = nvml.all();
    // SAFETY: it takes nothing, and no device of it is used after it.
    unsafe { (nvml.shutdown)() };
    found
}

/// The functions that are used. They are there as long as the library is.
struct Nvml {
    init: unsafe extern "C" fn() -> c_uint,
    shutdown: unsafe extern "C" fn() -> c_uint,
    count: unsafe extern "C" fn(*mut c_uint) -> c_uint,
    device: unsafe extern "C" fn(c_uint, *mut Device) -> c_uint,
    name: unsafe extern "C" fn(Device, *mut c_char, c_uint) -> c_uint,
    memory: unsafe extern "C" fn(Device, *mut Memory) -> c_uint,
    _library: Library,
}

impl Nvml {
    fn open(path: &Path) -> Option<Self> {
        let library = Library::open(path)?;
        // SAFETY: these are their types in `nvml.h`.
        unsafe {
            Some(Self {
                init: library.function(c"nvmlInit_v2")?,
                shutdown: library.function(c"nvmlShutdown")?,
                count: library.function(c"nvmlDeviceGetCount_v2")?,
                device: library.function(c"nvmlDeviceGetHandleByIndex_v2")?,
                name: library.function(c"nvmlDeviceGetName")?,
                memory: library.function(c"nvmlDeviceGetMemoryInfo")?,
                _library: library,
            })
        }
    }

    fn all(&self) -> Option<Vec<Gpu>> {
        let mut count = 0;
        // SAFETY: it writes one number.
        let told = unsafe { (self.count)(&mut count) };
        (told == SUCCESS).then(|| (0..count).filter_map(|index| self.one(index)).take(limits::GPUS_MAX).collect())
    }

    /// One of them; none: this process may not use it, or it does not answer.
    fn one(&self, index: c_uint) -> Option<Gpu> {
        let (mut device, mut name, mut memory) = (ptr::null_mut(), [0_u8; NAME_BYTES as usize], Memory::default());
        // SAFETY: it writes one handle.
        let found = unsafe { (self.device)(index, &mut device) };
        if found != SUCCESS {
            return None;
        }
        // SAFETY: the handle is the library's own, and so much room is there.
        let named = unsafe { (self.name)(device, name.as_mut_ptr().cast(), NAME_BYTES) };
        // SAFETY: the handle is the library's own, and it writes one `nvmlMemory_t`.
        let measured = unsafe { (self.memory)(device, &mut memory) };
        let name = CStr::from_bytes_until_nul(&name).ok().filter(|_| named == SUCCESS);
        let name = name.map_or_else(|| "NVIDIA GPU".into(), |name| name.to_string_lossy().into_owned());
        Some(Gpu { name, memory_bytes: (measured == SUCCESS).then_some(memory.total) })
    }
}

/// A library that is loaded.
struct Library(NonNull<c_void>);

impl Library {
    fn open(path: &Path) -> Option<Self> {
        let path = CString::new(path.as_os_str().as_bytes()).ok()?;
        // SAFETY: the path ends with a zero. What a library does when it is loaded is trusted, as the driver that it belongs to.
        NonNull::new(unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) }).map(Self)
    }

    /// A function of it.
    ///
    /// # Safety
    /// `F` must be a pointer to a function of the type that this one has, and not be called when the library is gone.
    unsafe fn function<F: Copy>(&self, name: &CStr) -> Option<F> {
        // SAFETY: the library is loaded, and the name ends with a zero.
        let found = NonNull::new(unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) })?;
        // SAFETY: pointers to functions and to data are alike (POSIX, dlsym); who calls answers for the type.
        Some(unsafe { mem::transmute_copy(&found) })
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: it is loaded, and nothing of it is used any more.
        unsafe { libc::dlclose(self.0.as_ptr()) };
    }
}
