//! Makes modules of this crate of the attribute's files, as they are: they name each other from the root of their crate.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=../../dlock-macros/src/lib.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dlock-macros/src");
    let lib = fs::read_to_string(folder.join("lib.rs")).expect("the attribute");
    let names = lib.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let module = |name| {
        let file = [format!("{name}.rs"), format!("{name}/mod.rs")].map(|file| folder.join(file));
        file.iter().find(|file| file.exists()).map(|file| format!("#[path = {file:?}]\nmod {name};\n"))
    };
    let modules = names.filter(|name| *name != "tests").filter_map(module).collect::<String>();
    fs::write(Path::new(&env::var_os("OUT_DIR").expect("a folder")).join("attribute.rs"), modules).expect("written");
}
