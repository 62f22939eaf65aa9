//! Plays a recording, as `meshwork replay` does.

fn main() {
    std::process::exit(engine::replay::replay_main(std::env::args().skip(1)));
}
