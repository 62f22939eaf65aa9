//! The org repository.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::org::{Device as OrgDevice, Member, MemberKey, Org};
use domain::{Kind, Rid, Timestamp, role::Role};
use forge::*;

fn org(device: &Device) -> (Org, Member, OrgDevice) {
    let key = MemberKey { did: device.forge.member(), device: device.forge.device() };
    (
        Org { version: 1, name: "acme".parse().unwrap(), threshold: 1 },
        Member { name: "ada".into(), roles: vec![Role::Owner], standby: None, keys: vec![key] },
        OrgDevice::new("laptop", device.forge.device(), "ada"),
    )
}

fn founded(device: &Device) -> Rid {
    let (org, ada, laptop) = org(device);
    device.forge.create_org(&org, &ada, &laptop).unwrap()
}

fn change(device: &Device, rid: &Rid, path: &str, content: Option<&str>) -> Result<domain::Oid, domain::Problem> {
    device.forge.change_org(rid, "change\n", &[(path.to_owned(), content.map(|c| c.as_bytes().to_vec()))])
}

#[test]
fn an_org_says_who_and_what_belongs_to_it() {
    let device = Device::new("laptop");
    let rid = founded(&device);
    let (org, ada, laptop) = org(&device);
    let state = device.forge.org_state(&rid).unwrap();
    assert_eq!((&state.org, &state.members["ada"], &state.devices["laptop"]), (&org, &ada, &laptop));
    assert_eq!(state.commit, device.forge.head(&rid).unwrap());
    assert_eq!(state.member_of(&device.forge.member()), Some(&ada));
    assert_eq!(state.device_of(&device.forge.device()), Some(&laptop));
    assert_eq!(device.forge.create_org(&org, &ada, &laptop).unwrap(), rid, "asked again, it is the same org");

    let agent = format!("name = \"coder\"\nanswers = \"{}\"\n[engine]\nkind = \"profile\"\nname = \"codex\"\n", device.forge.member());
    let commit = change(&device, &rid, "agents/coder.toml", Some(&agent)).unwrap();
    let project = format!("name = \"demo\"\nrid = \"{rid}\"\nbranch = \"main\"\n");
    change(&device, &rid, "projects/demo.toml", Some(&project)).unwrap();
    change(&device, &rid, "policy/later.cedar", Some("what later versions put here does not disturb")).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    assert_eq!((state.agents.len(), state.projects.len()), (1, 1));
    assert_ne!(state.commit, commit);
    change(&device, &rid, "agents/coder.toml", None).unwrap();
    assert!(device.forge.org_state(&rid).unwrap().agents.is_empty());
}

#[test]
fn of_one_second_what_was_made_counts_as_before_what_the_org_decided() {
    let device = Device::new("laptop");
    let rid = founded(&device);
    let agent = format!("name = \"coder\"\nanswers = \"{}\"\n[engine]\nkind = \"profile\"\nname = \"codex\"\n", device.forge.member());
    let made = Timestamp(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64);
    change(&device, &rid, "agents/coder.toml", Some(&agent)).unwrap();
    let listed = |at| device.forge.org_state_then(&rid, at).unwrap().agents.len();
    assert_eq!([listed(made), listed(made.plus_ms(600_000))], [0, 1]);
}

#[test]
fn changes_that_would_break_the_org_are_refused_with_file_and_line() {
    let device = Device::new("laptop");
    let rid = founded(&device);
    let head = device.forge.head(&rid).unwrap();
    let stranger = identity::Key::from_seed(&[9; 32]).did();
    let member = |roles: &str| format!("name = \"bob\"\nroles = [{roles}]\nkeys = []\n");
    let (key, here) = (device.forge.member(), device.forge.device());
    let standby =
        format!("name = \"ada\"\nroles = [\"owner\"]\nstandby = \"{stranger}\"\n[[keys]]\ndid = \"{key}\"\ndevice = \"{here}\"\n");
    let table = [
        ("members/bob.toml", Some("name = \"bob\"\nroles = [\"king\"]\nkeys = []\n".to_owned()), "members/bob.toml, line 2"),
        ("members/bob.toml", Some("name = \"bob\"\n\nkeys = [\n".to_owned()), "members/bob.toml, line"),
        ("members/eve.toml", Some(member("")), "name and file must be the same"),
        (
            "agents/coder.toml",
            Some(format!("name = \"coder\"\nanswers = \"{key}\"\nextra = 1\n[engine]\nkind = \"command\"\ncommand = \"true\"\n")),
            "agents/coder.toml, line 3",
        ),
        ("members/ada.toml", Some(standby), "members/ada.toml, line 3: the standby device"),
        ("members/ada.toml", Some("name = \"ada\"\nroles = [\"owner\"]\nkeys = []\n".to_owned()), "no owner has a key"),
        ("org.toml", None, "org.toml is missing"),
        ("org.toml", Some("version = 1\nname = \"acme\"\nthreshold = 2\n".to_owned()), "threshold is 2"),
        ("members/ada.toml", None, "is not a member"),
        ("devices/laptop.toml", None, "on a device that is not listed"),
        (
            "agents/coder.toml",
            Some(format!("name = \"coder\"\nanswers = \"{stranger}\"\n[engine]\nkind = \"command\"\ncommand = \"true\"\n")),
            "no member's key",
        ),
    ];
    for (path, content, words) in table {
        let problem = change(&device, &rid, path, content.as_deref()).unwrap_err();
        assert!(problem.kind == Kind::Invalid && problem.to_string().contains(words), "{path}: {problem}");
        assert!(!problem.to_string().contains("Mend"), "the org's own files are in order: {problem}");
    }
    assert_eq!(device.forge.head(&rid).unwrap(), head, "nothing was changed");
}

#[test]
fn what_a_newer_device_says_of_itself_hides_nothing_and_is_kept_by_who_writes_its_file_anew() {
    let device = Device::new("laptop");
    let rid = founded(&device);
    let text = |laptop: &OrgDevice| toml::to_string_pretty(laptop).unwrap();
    let (_, _, laptop) = org(&device);
    change(&device, &rid, "devices/laptop.toml", Some(&format!("of_tomorrow = 1\n{}", text(&laptop)))).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    assert_eq!((&state.refused, &state.devices["laptop"]), (&None, &laptop));
    // Who knows nothing of it gives the device another address, and another name.
    let renamed = OrgDevice { name: "desktop".into(), addresses: vec!["127.0.0.1:1".into()], ..laptop };
    let files = [("devices/laptop.toml".to_owned(), None), ("devices/desktop.toml".to_owned(), Some(text(&renamed).into_bytes()))];
    let commit = device.forge.change_org(&rid, "Rename\n", &files).unwrap();
    assert_eq!(device.forge.org_state(&rid).unwrap().devices["desktop"], renamed);
    let kept = device_file(&device, &rid, &commit);
    assert!(kept.contains("of_tomorrow = 1") && kept.contains("127.0.0.1:1"), "{kept}");
}

/// The file of the only device as it stands at a commit.
fn device_file(device: &Device, rid: &Rid, commit: &domain::Oid) -> String {
    let all = device.forge.files(rid, commit, &["devices/"]).unwrap();
    all.values().map(|content| String::from_utf8_lossy(content)).collect()
}

#[test]
fn an_org_of_a_newer_version_says_so() {
    let device = Device::new("laptop");
    let rid = founded(&device);
    let newer = [("org.toml".to_owned(), Some(b"version = 99\nname = \"acme\"\nthreshold = 1\n".to_vec()))];
    device.forge.commit_files(&rid, "by a newer one\n", &newer, None).unwrap();
    let problem = device.forge.org_state(&rid).unwrap_err();
    assert!(problem.kind == Kind::Conflict && problem.to_string().contains("newer"), "{problem}");
}

#[test]
fn a_home_is_made_once_survives_a_crash_and_opens_with_the_same_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (home, member) = (dir.path().join("rad"), dir.path().join("member"));
    // An attempt that ended between the two files of a key.
    std::fs::create_dir_all(home.join("keys")).unwrap();
    std::fs::write(home.join("keys/radicle"), "half").unwrap();
    let forge = Forge::create(&home, &member, "laptop").unwrap();
    assert_ne!(forge.device(), forge.member());
    assert_eq!(Forge::create(&home, &member, "laptop").err().unwrap().kind, Kind::Conflict);
    let again = Forge::open(&home, &member).unwrap();
    assert_eq!((again.device(), again.member()), (forge.device(), forge.member()));
    assert!(identity::verify(&forge.member(), b"x", &again.sign_as_member(b"x")));
    assert!(identity::verify(&forge.device(), b"x", &again.sign_as_device(b"x")));
    for key in [home.join("keys/radicle"), member.join("keys/radicle")] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(key).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "only the owner reads a key");
    }
    let config = std::fs::read_to_string(home.join("config.json")).unwrap();
    assert!(!config.contains("radicle.xyz") && !config.contains("iris."), "nothing of the internet: {config}");
    assert_eq!(Forge::open(&dir.path().join("none"), &member).err().unwrap().kind, Kind::NotFound);
    assert_eq!(Forge::create(&dir.path().join("bad"), &member, "two words").err().unwrap().kind, Kind::Invalid);
}

#[test]
fn a_key_that_others_can_read_or_replace_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (home, member) = (dir.path().join("rad"), dir.path().join("member"));
    drop(Forge::create(&home, &member, "laptop").unwrap());
    for keys in [home.join("keys"), member.join("keys")] {
        let mode = std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "whatever the umask: {}", keys.display());
    }
    let set = |path: &std::path::Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    for keys in [home.join("keys"), member.join("keys")] {
        for (path, bad, good, words) in [(keys.join("radicle"), 0o666, 0o600, "chmod 600"), (keys.clone(), 0o777, 0o700, "chmod 700")] {
            set(&path, bad);
            let problem = Forge::open(&home, &member).err().unwrap();
            assert!(problem.kind == Kind::Unavailable && problem.to_string().contains(words), "{problem}");
            set(&path, good);
        }
    }
    let key = home.join("keys/radicle");
    // Nobody, root neither, can follow a link that leads to itself.
    let aside = home.join("keys/aside");
    std::fs::rename(&key, &aside).unwrap();
    std::os::unix::fs::symlink(&key, &key).unwrap();
    let problem = Forge::open(&home, &member).err().unwrap();
    assert!(problem.what.contains("cannot be read") && problem.to_string().contains("owns the data folder"), "{problem}");
    std::fs::remove_file(&key).unwrap();
    std::fs::rename(&aside, &key).unwrap();
    let text = std::fs::read(&key).unwrap();
    std::fs::write(&key, "half").unwrap();
    assert!(Forge::open(&home, &member).err().unwrap().next.is_some_and(|next| next.contains("meshwork restore")));
    std::fs::write(&key, text).unwrap();
    Forge::open(&home, &member).unwrap();
}

#[test]
fn its_history_tells_how_each_revision_divides_the_quotas() {
    let device = Device::new("laptop");
    let rid = founded(&device);
    let change = |text: &str| change(&device, &rid, "quotas.toml", Some(text)).unwrap();
    let history = |head, known| device.forge.org_history(&rid, head, known).unwrap();
    let first = change("version = 1\n[org]\ncalls = 10\n");
    let known = history(&first, None);
    let priced = change("version = 1\n[org]\ncalls = 10\n[[price]]\nmodel = \"m\"\ninput = \"1\"\noutput = \"1\"\n");
    assert!(history(&priced, Some(&known)).is_newest(&first), "a price divides nothing");
    let last = change("version = 1\n[org]\ncalls = 20\n");
    for all in [history(&last, Some(&known)), history(&last, None)] {
        assert_eq!((all.len(), all.newest()), (known.len() + 2, Some(&last)));
        assert_eq!((all.is_newest(&last), all.is_newest(&priced)), (true, false));
        assert_eq!(all.now().unwrap().quotas.org.unwrap().calls, Some(20));
    }
    assert_eq!(history(&first, Some(&known)).len(), known.len());
}

/// A fetch that began before a change sets what the change moved back, and leaves the signature.
#[test]
fn what_a_fetch_set_back_is_brought_forward_to_what_was_signed() {
    let device = Device::new("laptop");
    let rid = founded(&device);
    let before = change(&device, &rid, "policy/first.txt", Some("1")).unwrap();
    let signed = change(&device, &rid, "policy/second.txt", Some("2")).unwrap();
    let storage = device.forge.rad_home().join("storage").join(rid.as_str().trim_start_matches("rad:"));
    let own = format!("refs/namespaces/{}/refs/heads/main", device.forge.member().as_str().trim_start_matches("did:key:"));
    let set_back = || {
        for name in [own.as_str(), "refs/heads/main"] {
            git(&storage, &["update-ref", name, before.as_str()]);
        }
    };
    assert!(!device.forge.bring_forward(&rid).unwrap(), "all is where it was signed");
    set_back();
    assert_eq!(device.forge.org_state(&rid).unwrap().commit, before);
    assert!(device.forge.bring_forward(&rid).unwrap());
    assert_eq!((device.forge.org_state(&rid).unwrap().commit, device.forge.head(&rid).unwrap()), (signed.clone(), signed.clone()));

    // A change that comes before that is looked at loses nothing either.
    set_back();
    let next = change(&device, &rid, "policy/third.txt", Some("3")).unwrap();
    let all = files(&device.forge, &rid, &next);
    assert!(["first", "second", "third"].iter().all(|name| all.contains_key(&format!("policy/{name}.txt"))), "{:?}", all.keys());
}

/// What a key says in a patch first, a fetch that began before takes away, since it was not signed then.
#[test]
fn a_comment_that_a_fetch_took_away_is_brought_back() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a")], &[]);
    let base = device.forge.head(&rid).unwrap();
    let work = device.run(&rid, &RunKey::new(), "one", &base, None, |dir| put(dir, "b.txt", "b"));
    let (patch, revision) = (&work.published.patch, &work.published.revision);
    device.forge.comment(&rid, patch, revision, "Why b?", None).unwrap();
    let said = || {
        let seen = device.forge.patch(&rid, &name("demo"), patch).unwrap();
        seen.revisions.iter().flat_map(|revision| &revision.comments).filter(|comment| comment.body == "Why b?").count()
    };
    let storage = device.forge.rad_home().join("storage").join(rid.as_str().trim_start_matches("rad:"));
    let member = device.forge.member();
    let own = format!("refs/namespaces/{}/refs/cobs/xyz.radicle.patch/{patch}", member.as_str().trim_start_matches("did:key:"));
    let (signed, refs) = (device.forge.signed_by_all(&rid).unwrap(), device.forge.refs_digest(&rid).unwrap());
    git(&storage, &["update-ref", "-d", &own]);
    assert_eq!((said(), device.forge.signed_by_all(&rid).unwrap()), (0, signed));
    assert_ne!(device.forge.refs_digest(&rid).unwrap(), refs, "a ref that nobody signed away is missed");
    assert!(device.forge.bring_forward(&rid).unwrap());
    assert_eq!(said(), 1);
}

#[test]
fn what_all_signed_has_a_digest_that_changes_with_it_and_with_nothing_else() {
    let device = Device::new("laptop");
    let rid = founded(&device);
    let before = device.forge.signed_by_all(&rid).unwrap();
    assert_eq!(device.forge.signed_by_all(&rid).unwrap(), before);
    change(&device, &rid, "policy/first.txt", Some("1")).unwrap();
    assert_ne!(device.forge.signed_by_all(&rid).unwrap(), before);
}
