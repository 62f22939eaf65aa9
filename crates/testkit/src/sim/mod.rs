//! The parts of a simulated world: a clock, a network and disks, all from one seed. They know nothing of what lives in it.
mod clock;
mod disk;
mod network;

pub use clock::Clock;
pub use disk::Disk;
pub use network::Network;
