//! What the binary does for `meshwork bridge`, alone: for the tests of this crate.

fn main() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|verb| verb == "bridge") {
        std::process::exit(sandbox::bridge_main(args));
    }
    eprintln!("usage: bridge bridge <control> <job>");
    std::process::exit(2);
}
