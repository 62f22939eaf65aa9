//! Links the program at a fixed address: it starts in a third of the time, which each sandbox waits for, and needs several
//! MB less. See docs/decisions/004-fixed-address.md.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
