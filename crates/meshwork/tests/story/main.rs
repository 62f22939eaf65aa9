//! The main job and what may go wrong in it, told with real parts: a real `meshwork up`, Radicle, sandboxes, coding
//! engines; only the model is scripted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod command;
mod command_model;
mod demo;
mod disk;
mod doors;
mod ends;
mod engines;
mod keep;
mod lost;
mod people;
mod steer;
mod stock;
mod support;
mod tools;
mod trace;
mod webhook;
mod work;
