#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use tempfile::TempDir;

fn key() -> (To, With) {
    let key = x25519::Identity::generate();
    use age::secrecy::ExposeSecret;
    (To::Recipient(key.to_public().to_string()), With::Key(key.to_string().expose_secret().into()))
}

fn sources(files: &[(&str, Vec<u8>)]) -> (TempDir, Vec<Source>) {
    let dir = tempfile::tempdir().unwrap();
    let sources = files.iter().enumerate().map(|(n, (path, bytes))| {
        let file = dir.path().join(n.to_string());
        fs::write(&file, bytes).unwrap();
        Source { path: (*path).to_owned(), file }
    });
    let sources = sources.collect();
    (dir, sources)
}

fn sealed(to: &To, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (_dir, sources) = sources(files);
    let mut out = Vec::new();
    seal(&mut out, to, &sources).unwrap();
    out
}

fn opened(bytes: &[u8], with: &With) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    let mut files = vec![];
    let count = open(bytes, with, |path, _, from| {
        let mut bytes = vec![];
        from.read_to_end(&mut bytes).map_err(Problem::internal)?;
        files.push((path.to_owned(), bytes));
        Ok(())
    })?;
    assert_eq!(count as usize, files.len());
    Ok(files)
}

#[test]
fn a_backup_unpacks_to_the_same_private_files() {
    use std::os::unix::fs::PermissionsExt;
    let (to, with) = key();
    let bytes = sealed(&to, &[("vault/vault.key", b"k".to_vec()), ("journal.db", vec![7; 200_000]), ("empty", vec![])]);
    assert!(!bytes.windows(9).any(|w| w == b"vault.key"));
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("new");
    assert_eq!(unpack(&bytes[..], &with, &into).unwrap(), 3);
    assert_eq!(fs::read(into.join("journal.db")).unwrap(), vec![7; 200_000]);
    let mode = |path: &str| fs::metadata(into.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("vault/vault.key"), mode("empty"), mode("vault")), (0o600, 0o600, 0o700));
    assert_eq!(unpack(&bytes[..], &with, &into).unwrap_err().kind, Kind::Conflict);
}

#[test]
fn a_passphrase_opens_it_and_no_other() {
    let right = Secret::from("correct horse");
    let bytes = sealed(&To::Passphrase(right.clone()), &[("a", b"x".to_vec())]);
    assert_eq!(opened(&bytes, &With::Passphrase(right)).unwrap(), [("a".to_owned(), b"x".to_vec())]);
    assert_eq!(opened(&bytes, &With::Passphrase("wrong horse".into())).unwrap_err().kind, Kind::Unauthenticated);
    assert_eq!(opened(&bytes, &key().1).unwrap_err().kind, Kind::Unauthenticated);
    assert!(seal(io::sink(), &To::Passphrase("short".into()), &[]).is_err());
}

#[test]
fn paths_that_lead_out_are_neither_saved_nor_restored() {
    let (to, with) = key();
    for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\nb", &"x".repeat(2000)] {
        let (_dir, mut files) = sources(&[("ok", vec![])]);
        files[0].path = bad.to_owned();
        assert_eq!(seal(io::sink(), &to, &files).unwrap_err().kind, Kind::Invalid, "{bad}");
    }
    // A backup made by somebody else, encrypted for us.
    let To::Recipient(text) = &to else { unreachable!() };
    let inside = [MAGIC, &7u32.to_be_bytes(), b"../evil", &0u64.to_be_bytes(), &0u32.to_be_bytes(), &1u64.to_be_bytes()].concat();
    let bytes = age::encrypt(&text.parse::<x25519::Recipient>().unwrap(), &inside).unwrap();
    assert_eq!(opened(&bytes, &with).unwrap_err().kind, Kind::Invalid);
}

#[test]
fn what_is_no_backup_or_half_of_one_is_refused() {
    let (to, with) = key();
    let bytes = sealed(&to, &[("a", vec![1; 100_000])]);
    assert!(opened(b"hello", &with).unwrap_err().what.contains("not a backup"));
    for cut in [0, 100, 300, 70_000, bytes.len() - 1] {
        assert!(opened(&bytes[..cut], &with).is_err(), "{cut}");
    }
    let dir = tempfile::tempdir().unwrap();
    for cut in [70_000, bytes.len() - 1] {
        let problem = unpack(&bytes[..cut], &with, &dir.path().join(cut.to_string())).unwrap_err();
        assert!(problem.what.contains("damaged") && problem.next.is_some(), "{cut}: {problem}");
    }
    let To::Recipient(text) = &to else { unreachable!() };
    let other = age::encrypt(&text.parse::<x25519::Recipient>().unwrap(), b"MESHWORK-BACKUP-2\n and so on").unwrap();
    assert!(opened(&other, &with).unwrap_err().next.unwrap().contains("update"));
}

#[test]
fn of_what_is_no_backup_little_is_read() {
    let with = key().1;
    for begin in [&b""[..], AGE, b"age-encryption.org/v1\n-> X25519 "] {
        let mut endless = begin.chain(io::repeat(0).take(1 << 24));
        let problem = open(&mut endless, &with, |_, _, _| Ok(())).unwrap_err();
        assert!(problem.what.contains("not a backup") && problem.next.is_some(), "{problem}");
        assert!(endless.into_inner().1.limit() > (1 << 24) - (1 << 18), "all of it was read");
    }
}

#[test]
fn files_that_the_caller_does_not_read_are_skipped() {
    let (to, with) = key();
    let bytes = sealed(&to, &[("a", vec![1; 100_000]), ("b", b"last".to_vec())]);
    let mut seen = vec![];
    open(&bytes[..], &with, |path, length, _| {
        seen.push((path.to_owned(), length));
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, [("a".to_owned(), 100_000), ("b".to_owned(), 4)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn one_changed_byte_anywhere_is_refused(content: Vec<u8>, at: prop::sample::Index, bit in 0u8..8) {
        let (to, with) = key();
        let mut bytes = sealed(&to, &[("a", content.clone())]);
        prop_assert_eq!(opened(&bytes, &with).unwrap(), [("a".to_owned(), content)]);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(opened(&bytes, &with).is_err());
    }
}
