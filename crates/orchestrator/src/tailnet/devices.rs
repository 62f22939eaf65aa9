//! Which machine of the tailnet is which device, also as it was known before this process began: a machine whose device was removed from
//! the org meanwhile is still found by it.

use crate::data_dir::{OrgDir, make_private, storage, write_private};
use domain::{Did, Problem, ServerUrl};
use mesh::tailnet::headscale::{Headscale, Node};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Their file, beside the settings of the tailnet.
const FILE: &str = "devices.json";

/// The machines that are devices.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Devices {
    /// The server whose numbers these are; none: nothing is known yet.
    server: Option<ServerUrl>,
    /// By the server's number of the machine.
    by_number: BTreeMap<String, Did>,
    /// Of which machines it was told that they are taken out.
    #[serde(skip)]
    told: BTreeSet<String>,
}

impl Devices {
    /// As they were kept.
    ///
    /// # Errors
    /// When their file cannot be read, or is damaged. It stays as it is: it may be read again.
    pub(super) fn read(dir: &OrgDir) -> Result<Self, Problem> {
        let file = dir.tailnet().join(FILE);
        match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Problem::conflict(format!("{} is damaged: {error}.", file.display()))
                    .because("So machines of devices that are removed from the org are not known, and stay in the tailnet.")
                    .next(
                        "Move it away, and it is made anew. Take out by hand what stayed of devices that were removed: \
                         headscale nodes list, headscale nodes delete.",
                    )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(storage(&file, &error)),
        }
    }

    /// Forgets the machines that the server does not list, and all of another server: under their numbers others may come.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(super) fn keep_listed(&mut self, dir: &OrgDir, server: &ServerUrl, nodes: &[Node]) -> Result<(), Problem> {
        if self.server.as_ref() != Some(server) {
            *self = Self { server: Some(server.clone()), ..Self::default() };
            return self.write(dir);
        }
        let before = self.by_number.len();
        self.by_number.retain(|number, _| nodes.iter().any(|node| node.id == *number));
        self.told.retain(|number| self.by_number.contains_key(number));
        if self.by_number.len() == before { Ok(()) } else { self.write(dir) }
    }

    /// Notes which device a machine is.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(super) fn note(&mut self, dir: &OrgDir, node: &Node, device: &Did) -> Result<(), Problem> {
        let before = self.by_number.insert(node.id.clone(), device.clone());
        if before.as_ref() == Some(device) { Ok(()) } else { self.write(dir) }
    }

    /// The device that a machine was seen to be.
    pub(super) fn of(&self, node: &Node) -> Option<&Did> {
        self.by_number.get(&node.id)
    }

    /// Takes a machine out of the tailnet whose device was removed from the org. It is forgotten only once the server lists it no more:
    /// that something on the way knows of no such machine does not say that it is out.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub(super) async fn take_out(&mut self, api: &Headscale, node: &Node) -> Result<(), Problem> {
        api.delete(&node.id).await?;
        if self.told.insert(node.id.clone()) {
            tracing::warn!(node = node.given_name, "its device was removed from the org: it is taken out of the tailnet");
        }
        Ok(())
    }

    fn write(&self, dir: &OrgDir) -> Result<(), Problem> {
        make_private(&dir.tailnet())?;
        write_private(&dir.tailnet().join(FILE), &serde_json::to_vec(self).map_err(Problem::internal)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{data_dir::DataDir, fixtures::did, tailnet::tickets::tests::serving};
    use axum::{Router, http::StatusCode};

    fn node(id: &str) -> Node {
        serde_json::from_value(serde_json::json!({ "id": id })).unwrap()
    }

    #[test]
    fn a_number_says_nothing_of_a_machine_that_comes_after_the_one_that_had_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap().org(&"crew".parse().unwrap());
        let (here, other) = ("http://hs:1".parse().unwrap(), "http://other:1".parse().unwrap());
        let (two, three) = (node("2"), node("3"));
        let mut devices = Devices::read(&dir).unwrap();
        devices.keep_listed(&dir, &here, &[]).unwrap();
        devices.note(&dir, &two, &did('b')).unwrap();
        devices.note(&dir, &three, &did('c')).unwrap();
        let mut devices = Devices::read(&dir).unwrap();
        devices.keep_listed(&dir, &here, &[two.clone(), three.clone()]).unwrap();
        assert_eq!((devices.of(&two), devices.of(&three)), (Some(&did('b')), Some(&did('c'))), "the server lists both still");

        devices.keep_listed(&dir, &here, std::slice::from_ref(&two)).unwrap();
        let mut devices = Devices::read(&dir).unwrap();
        assert_eq!((devices.of(&two), devices.of(&three)), (Some(&did('b')), None), "the server lists one no more");
        devices.keep_listed(&dir, &other, std::slice::from_ref(&two)).unwrap();
        assert!(devices.of(&two).is_none() && Devices::read(&dir).unwrap().of(&two).is_none(), "these are the numbers of another server");
    }

    #[tokio::test]
    async fn a_machine_is_taken_out_until_the_server_lists_it_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap().org(&"crew".parse().unwrap());
        let api = serving(Router::new().fallback(|| std::future::ready(StatusCode::NOT_FOUND))).await;
        let (mut devices, three) = (Devices::default(), node("3"));
        devices.keep_listed(&dir, api.url(), &[]).unwrap();
        devices.note(&dir, &three, &did('c')).unwrap();
        devices.take_out(&api, &three).await.unwrap();
        devices.keep_listed(&dir, api.url(), std::slice::from_ref(&three)).unwrap();
        assert!(devices.of(&three).is_some(), "it is listed, whatever was answered");
        devices.take_out(&api, &three).await.unwrap();
        devices.keep_listed(&dir, api.url(), &[]).unwrap();
        assert!(devices.of(&three).is_none());
    }
}
