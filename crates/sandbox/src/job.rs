//! What the bridge is told to do, as it lies in a memory file: NUL-ended fields, so that nothing needs a parser.

use crate::spec::{Bounds, HOME, OURS, Spec};
use std::{ffi::OsString, os::unix::ffi::OsStringExt};

/// The bridge's work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Job {
    /// Ports to bind, and the socket inside that each leads to.
    pub forwards: Vec<(u16, String)>,
    /// The command's environment.
    pub env: Vec<(OsString, OsString)>,
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// Largest file that can be written, in bytes.
    pub file_bytes: u64,
    /// Processes, where no cgroup counts them; 0 for no limit.
    pub processes: u64,
    /// Private memory of each process, where no cgroup counts it; 0 for no limit.
    pub data_bytes: u64,
}

/// Where a forwarded port's socket is seen inside.
pub(crate) fn socket_inside(port: u16) -> String {
    format!("{OURS}/{port}.sock")
}

impl Job {
    /// The job that a spec asks for. `by_rlimit`: no cgroup holds the limits.
    pub(crate) fn new(spec: &Spec, bounds: Bounds, by_rlimit: bool) -> Self {
        let defaults = [
            ("HOME", HOME),
            ("USER", "agent"),
            ("LOGNAME", "agent"),
            ("SHELL", "/bin/sh"),
            ("LANG", "C.UTF-8"),
            ("TMPDIR", "/tmp"),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ];
        let given = |name: &str| spec.env.iter().any(|(k, _)| k == name);
        let defaults = defaults.into_iter().filter(|(k, _)| !given(k)).map(|(k, v)| (k.into(), v.into()));
        Self {
            forwards: spec.forwards.iter().map(|f| (f.port, socket_inside(f.port))).collect(),
            env: defaults.chain(spec.env.iter().map(|(k, v)| (k.into(), v.into()))).collect(),
            command: spec.command.iter().map(OsString::from).collect(),
            file_bytes: bounds.disk_bytes,
            processes: if by_rlimit { u64::from(bounds.processes) } else { 0 },
            data_bytes: if by_rlimit { bounds.memory_bytes } else { 0 },
        }
    }

    /// As bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut field = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            out.push(0);
        };
        for number in [self.file_bytes, self.processes, self.data_bytes, self.forwards.len() as u64, self.env.len() as u64] {
            field(number.to_string().as_bytes());
        }
        for (port, socket) in &self.forwards {
            field(port.to_string().as_bytes());
            field(socket.as_bytes());
        }
        for (key, value) in &self.env {
            field(key.as_encoded_bytes());
            field(value.as_encoded_bytes());
        }
        for part in &self.command {
            field(part.as_encoded_bytes());
        }
        out
    }

    /// From bytes; none when they are not a job.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = bytes.strip_suffix(&[0])?.split(|b| *b == 0);
        let mut text = || String::from_utf8(fields.next()?.to_vec()).ok();
        let mut job = Self {
            file_bytes: text()?.parse().ok()?,
            processes: text()?.parse().ok()?,
            data_bytes: text()?.parse().ok()?,
            ..Self::default()
        };
        let (forwards, env): (usize, usize) = (text()?.parse().ok()?, text()?.parse().ok()?);
        for _ in 0..forwards {
            job.forwards.push((text()?.parse().ok()?, text()?));
        }
        let mut any = || Some(OsString::from_vec(fields.next()?.to_vec()));
        for _ in 0..env {
            job.env.push((any()?, any()?));
        }
        job.command = std::iter::from_fn(any).collect();
        (!job.command.is_empty()).then_some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_its_encoding_even_with_odd_text() {
        let job = Job {
            forwards: vec![(80, "/run/x".into()), (443, "/run/y".into())],
            env: vec![("A".into(), "".into()), (OsString::from_vec(vec![0xff, b'k']), "v\nw=x".into())],
            command: vec!["sh".into(), "-c".into(), "".into(), "“ü”".into()],
            file_bytes: u64::MAX,
            processes: 3,
            data_bytes: 0,
        };
        assert_eq!(Job::decode(&job.encode()), Some(job.clone()));
        let bytes = job.encode();
        assert_eq!(Job::decode(&bytes[..bytes.len() - 1]), None, "a cut job is no job");
        assert_eq!(Job::decode(b""), None);
    }
}
