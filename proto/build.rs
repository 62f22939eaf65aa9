//! Generates the gRPC code from the files beside this one.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    tonic_prost_build::configure().codec_path("crate::codec::Codec").compile_protos(&["run.proto", "join.proto", "mesh.proto"], &["."])?;
    Ok(())
}
