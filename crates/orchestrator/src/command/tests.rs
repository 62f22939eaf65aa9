//! What sentences come to, by tables: on a world made by hand, through the same grammar, proposals and conversations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod completion;
mod fitting;
mod holding;
mod sentences;
mod world;
