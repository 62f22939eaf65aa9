//! Starts real things for tests: a `meshwork up` on a folder of its own, projects made anew, a scripted model, a
//! browser.
mod address;
mod browser;
pub mod canary;
mod journal;
mod last;
mod login;
pub mod model;
mod processes;
mod random;
mod repository;
pub mod sim;
mod skip;
mod stock;
pub mod tailnet;
mod tree;
mod up;

pub use address::free_address;
pub use browser::Browser;
pub use journal::age_journal;
pub use last::fails_at_the_end;
pub use login::TokenServer;
pub use processes::{descendants, end_all_of, memory_of};
pub use random::Random;
pub use repository::{Repository, git, random_name};
pub use skip::skip;
pub use stock::Stock;
pub use tree::root;
pub use up::{Outcome, Up};
