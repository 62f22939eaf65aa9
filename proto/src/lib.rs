//! The gRPC services that Meshwork's processes speak. Generated from the `.proto` files beside this crate.
#![allow(missing_docs)]

/// Runner and host (`run.proto`).
pub mod run {
    tonic::include_proto!("meshwork.run.v1");
}
