//! The forge with real repositories, real nodes and real git, in temporary folders.

mod flow;
mod gated;
mod harness;
mod import;
mod merging;
mod mirror;
mod moving;
mod nodes;
mod org;
mod owners;
mod project;
mod proof;
mod run;
mod stock;
mod whole;

/// Both are shared between threads by whoever holds them.
fn shared<T: Send + Sync>() {}
const _: fn() = shared::<forge::Forge>;
const _: fn() = shared::<forge::Node>;
