#!/usr/bin/env bash
# Makes what a release offers for one kind of machine, in target/releases:
#
#     senet-VERSION-TARGET.tar.gz          the program without the names of its functions, completions
#                                          for five shells, manual pages, licences, README, CHANGELOG
#     senet-VERSION-TARGET.tar.gz.sha256   for `sha256sum --check`
#     senet-VERSION-TARGET                 what is in the archive, which Containerfile makes an image of
#
#     scripts/release.sh [TARGET]
#
# TARGET is a target of rustc's that is installed and that this machine can run, since the program
# itself writes completions and pages; its own unless said. x86_64-unknown-linux-musl (`rustup target
# add`, and a `musl-gcc`) makes a program that needs nothing of the system, not even a C library.
# The same program makes the same archive, byte for byte. The names are those that
# `cargo binstall` looks for, by `[package.metadata.binstall]` in Cargo.toml.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:-$(rustc --version --verbose | sed --quiet 's/^host: //p')}
version=$(sed --quiet '/^\[package\]/,/^\[/ s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=senet-$version-$target
built=${CARGO_TARGET_DIR:-target}
releases=$built/releases

# For this machine what is built already serves; cargo keeps what it builds for a named target apart.
cargo build --release --locked --bin senet ${1:+--target "$1"}
program=$built${1:+/$1}/release/senet

folder=$releases/$name
rm -rf "$folder"
mkdir --parents "$folder/completions"
# Written by the program that is packed, so that they are of one version.
"$program" completions bash >"$folder/completions/senet.bash"
"$program" completions zsh >"$folder/completions/_senet"
"$program" completions fish >"$folder/completions/senet.fish"
"$program" completions elvish >"$folder/completions/senet.elv"
"$program" completions powershell >"$folder/completions/_senet.ps1"
"$program" man --output "$folder/man/man1"
cp LICENSE-APACHE LICENSE-MIT weights/efficientnet_lite0.LICENSE README.md CHANGELOG.md "$folder"
strip -o "$folder/senet" "$program"

archive=$name.tar.gz
# Who makes it, and when, is not in it; the time is the commit's.
moment=$(git log --max-count 1 --format=%ct 2>/dev/null || echo 0)
tar --directory "$releases" --create --sort name --mtime "@$moment" --owner 0 --group 0 --numeric-owner \
    --mode u=rwX,go=rX --format ustar "$name" | gzip --best --no-name >"$releases/$archive"
(cd "$releases" && sha256sum "$archive" >"$archive.sha256")
echo "$releases/$archive: $(stat --format %s "$releases/$archive") bytes, the program $(stat --format %s "$folder/senet")"
