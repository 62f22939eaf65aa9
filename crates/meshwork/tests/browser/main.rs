//! The dashboard in a real browser: Debian's Chromium against a real `meshwork up`, real engines, only the model scripted. What is
//! done there stands in `dashboard/e2e`, one file a scenario; here is what each of them finds on the machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod job;
mod live;
mod looks;
mod mesh;
mod play;
mod rights;
mod steer;
