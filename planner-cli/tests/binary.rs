//! The binary starts and says what it is. (Cargo builds the binary for this test, which the
//! whole-program tests of the `tests` crate rely on.)

use std::process::Command;

#[test]
fn the_version_is_the_packages() {
    let output = Command::new(env!("CARGO_BIN_EXE_kvplan")).arg("--version").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim(),
        concat!("kvplan ", env!("CARGO_PKG_VERSION"))
    );
}
