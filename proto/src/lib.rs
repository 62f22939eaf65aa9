//! The gRPC services that Meshwork's processes speak. Generated from the `.proto` files beside this crate.
#![allow(missing_docs)]

pub mod codec;

/// Those who want to join an org, and who invited them (`join.proto`).
pub mod join {
    tonic::include_proto!("meshwork.join.v1");
}

/// Runner and host (`run.proto`).
pub mod run {
    tonic::include_proto!("meshwork.run.v1");
}

/// Devices of an org (`mesh.proto`).
pub mod mesh {
    tonic::include_proto!("meshwork.mesh.v1");
}
