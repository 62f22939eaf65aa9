//! The stock `rad` and `radicle-node` on another node see, check out and review what we make.
//!
//! Runs where the folder in `MESHWORK_RAD` (default `target/tools/rad/bin`) has `rad`, `radicle-node` and `git-remote-rad`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::Did;
use domain::patch::Verdict;
use forge::*;
use testkit::Stock;

#[test]
fn the_stock_rad_lists_checks_out_and_reviews_our_patches() {
    let Some(mut stock) = Stock::new("forge with the stock rad") else { return };
    let by: Did = stock.did().parse().unwrap();
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    device.forge.allow(&rid, std::slice::from_ref(&by)).unwrap();
    let head = device.forge.head(&rid).unwrap();
    let first = device.run(&rid, &RunKey::new(), "Say two", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let patch = first.published.patch.as_str();
    let node = device.node();
    let events = node.events();
    stock.start(Some((device.forge.device().as_str(), &node.listen_address().unwrap().to_string())));
    until(&events, "the stock node at ours", || node.health().peers.iter().any(|p| p.did == by && p.connected.is_some()));

    let clone = stock.clone(rid.as_str(), device.forge.device().as_str());
    assert_eq!(std::fs::read_to_string(clone.join("a.txt")).unwrap(), "one\n");
    assert!(stock.rad(&clone, &["patch", "list"]).contains("Say two"));
    assert!(stock.rad(&clone, &["patch", "show", patch]).contains("Say two"));
    stock.rad(&clone, &["patch", "checkout", patch]);
    assert_eq!(std::fs::read_to_string(clone.join("a.txt")).unwrap(), "two\n");
    stock.rad(&clone, &["patch", "review", patch, "--accept", "--message", "Fine with the stock tools."]);
    until(&events, "the stock review at ours", || {
        let seen = device.forge.patch(&rid, &name("demo"), &first.published.patch).unwrap();
        seen.revisions[0].reviews.iter().any(|r| r.by == by && r.verdict == Some(Verdict::Accept))
    });

    // A further revision by another key, announced to the node that is connected.
    let second = device.run(&rid, &RunKey::new(), "again", &head, Some(&first.published.patch), |dir| put(dir, "a.txt", "three\n"));
    let revision = second.published.revision.as_str();
    until(&events, "the second revision at the stock node", || {
        stock.rad(&clone, &["patch", "show", patch, "--verbose"]).contains(&revision[..7])
    });
    stock.rad(&clone, &["patch", "checkout", patch, "--revision", revision, "--force"]);
    assert_eq!(std::fs::read_to_string(clone.join("a.txt")).unwrap(), "three\n");

    // A merge here is a merge there, and the stock tools bring the new default branch.
    let MergeResult::Ready { commit, revision, .. } =
        device.forge.merge_result(&rid, &first.published.patch, None, &|_, _, _, _| None).unwrap()
    else {
        panic!()
    };
    device.forge.merge(&rid, &first.published.patch, &revision, &commit).unwrap();
    until(&events, "the merge at the stock node", || stock.rad(&clone, &["patch", "list", "--merged"]).contains("Say two"));
    stock.git(&clone, &["fetch", "rad"]);
    assert_eq!(git(&clone, &["rev-parse", "refs/remotes/rad/main"]), commit.as_str());

    // A patch by the stock tools is a patch here.
    git(&clone, &["checkout", "--quiet", "-B", "mine", "refs/remotes/rad/main"]);
    put(&clone, "stock.txt", "by hand\n");
    git(&clone, &["add", "."]);
    git(&clone, &["commit", "--quiet", "--message=By hand"]);
    stock.git(&clone, &["push", "rad", "HEAD:refs/patches"]);
    until(&events, "the stock patch at ours", || {
        device.forge.patches(&rid, &name("demo")).unwrap().iter().any(|p| p.title == "By hand" && p.author == by)
    });
}
