//! The main job and what may go wrong in it, told with real parts: a real `meshwork up`, Radicle, sandboxes, coding
//! engines; only the model is scripted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod canary;
mod command;
mod command_model;
mod demo;
mod disk;
mod doors;
mod doubles;
mod elsewhere;
mod ends;
mod engines;
mod gated;
mod halted;
mod joining;
mod journals;
mod keep;
mod lost;
mod mesh;
mod mesh_attacks;
mod moved;
mod orgs;
mod owner_first;
mod people;
mod put_back;
mod queue;
mod removed;
mod rights;
mod rivals;
mod shares;
mod standby;
mod steer;
mod stock;
mod strangers;
mod support;
mod told;
mod tools;
mod trace;
mod two;
mod versions;
mod webhook;
mod whole;
mod work;
