//! Whose a machine of the tailnet is: node -> device -> owner. Machines of an org are tagged, and belong to no user of the tailnet; so what
//! counts is the tag, which only the server gives, and the address, which the server gives too. A device's file of the org repository
//! says at which address it is.

use super::policy::device_tag;
use domain::{OrgName, org::Device};
use std::net::{IpAddr, SocketAddr};

/// The device of the org that a machine of the tailnet is; its owner is named in it. None where the machine has not the org's tag, or where no
/// device, or more than one, claims its address.
pub fn device<'a>(
    org: &OrgName,
    tags: &[String],
    addresses: &[IpAddr],
    devices: impl IntoIterator<Item = &'a Device>,
) -> Option<&'a Device> {
    let tag = device_tag(org);
    if !tags.contains(&tag) {
        return None;
    }
    claims(addresses, devices)
}

/// The one device that claims one of these addresses.
pub fn claims<'a>(addresses: &[IpAddr], devices: impl IntoIterator<Item = &'a Device>) -> Option<&'a Device> {
    let at = |text: &String| text.parse::<SocketAddr>().is_ok_and(|address| addresses.contains(&address.ip()));
    let mut claim = devices.into_iter().filter(|device| device.addresses.iter().any(at));
    match (claim.next(), claim.next()) {
        (Some(device), None) => Some(device),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::Did;

    #[test]
    fn only_a_tagged_machine_whose_address_one_device_claims_is_that_device() {
        let did = |letter: &str| -> Did { format!("did:key:z6Mk{}", letter.repeat(44)).parse().unwrap() };
        let at = |name: &str, letter, addresses: &[&str]| {
            let addresses = addresses.iter().map(|a| (*a).to_owned()).collect();
            Device { addresses, ..Device::new(name, did(letter), "ada") }
        };
        let devices = [
            at("laptop", "a", &["100.64.0.1:7421"]),
            at("desktop", "b", &["box.example:7421", "[fd7a::2]:7421"]),
            at("twin", "c", &["100.64.0.3:7421"]),
            at("other", "d", &["100.64.0.3:9999"]),
        ];
        let (org, tags) = ("acme".parse().unwrap(), ["tag:acme-device".to_owned()]);
        let found = |tags: &[String], ip: &str| device(&org, tags, &[ip.parse().unwrap()], &devices).map(|d| d.name.as_str());
        assert_eq!(found(&tags, "100.64.0.1"), Some("laptop"));
        assert_eq!(found(&tags, "fd7a::2"), Some("desktop"));
        assert_eq!(found(&tags, "100.64.0.3"), None, "two claim it");
        assert_eq!(found(&tags, "100.64.0.9"), None);
        assert_eq!(found(&["tag:beta-device".to_owned()], "100.64.0.1"), None, "of another org");
        assert_eq!(found(&["tag:acme-joining".to_owned()], "100.64.0.1"), None, "not let in yet");
    }
}
