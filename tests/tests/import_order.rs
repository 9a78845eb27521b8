//! Data flows one way through the core: no module imports one that comes after it in [`ORDER`], which
//! ARCHITECTURE.md shows.

use std::path::{Path, PathBuf};

/// The modules of planner-core, from those that know nothing of the others.
const ORDER: [&str; 17] = [
    "memo", "to_json", "text", "error", "units", "dtype", "suggest", "device", "parallel", "spec", "source",
    "catalog", "request", "engine", "plan", "render", "lib",
];

/// Every Rust file under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(folders.iter().flat_map(|folder| self::files(folder))).collect()
}

/// The modules that a file imports: the first name after every `crate::` outside comments and tests.
fn imported(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = lines.flat_map(|line| line.split("crate::").skip(1));
    names
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        .collect()
}

#[test]
fn no_module_imports_a_later_one() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("planner-core/src");
    let place = |name: &str| ORDER.iter().position(|known| *known == name);
    let (mut read, mut wrong) = (0, Vec::new());
    for file in files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        if file.ends_with("tests.rs") {
            continue;
        }
        let own = place(&module).unwrap_or_else(|| panic!("{module} has no place in the order"));
        let text = planner_tests::text(&file);
        assert!(!text.contains("crate::{"), "{}: an import of several modules in one", relative.display());
        for name in imported(&text) {
            // macros and the crate's own re-exports are no modules
            let Some(other) = place(name) else { continue };
            read += 1;
            if other > own {
                wrong.push(format!("{}: {name}", relative.display()));
            }
        }
    }
    assert!(read > 400, "only {read} imports were read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_is_seen_where_it_stands() {
    let text = "use crate::plan::Plan;\n// crate::render\nfn f() { crate::units::sum() }\n#[cfg(test)]\nuse crate::lib;";
    assert_eq!(imported(text), ["plan", "units"]);
}
