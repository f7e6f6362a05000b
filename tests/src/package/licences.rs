//! The licences of all that is in the program: ours, the font's, and those of every crate that is compiled in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::tree::Tree;

/// How the files begin that a crate has its licence in.
const NAMES: [&str; 6] = ["licen", "copying", "copyright", "notice", "unlicense", "authors"];

/// `COPYRIGHT`, the texts it names, and `THIRD-PARTY`.
pub(super) fn all(metadata: &Value) -> Result<Tree> {
    let mut tree = Tree::default();
    tree.add("COPYRIGHT", include_str!("files/COPYRIGHT"));
    tree.add("LICENSE-MIT", include_str!("../../../LICENSE-MIT"));
    tree.add("LICENSE-APACHE", include_str!("../../../LICENSE-APACHE"));
    tree.add("LICENSE-Inter", launcher::gui::theme::fonts::LICENCE);
    tree.add("THIRD-PARTY", third_party(metadata)?);
    Ok(tree)
}

/// Every crate in the program with its licence, then the texts, each once.
fn third_party(metadata: &Value) -> Result<String> {
    let packages = list(&metadata["packages"]);
    let by_id: BTreeMap<&str, &Value> =
        packages.iter().filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let (mut crates, mut texts) = (BTreeSet::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for id in compiled_in(metadata, &by_id)? {
        let Some(package) = by_id.get(id).filter(|package| !package["source"].is_null()) else { continue };
        let say = |key: &str| package[key].as_str().unwrap_or("(not said)").to_owned();
        let name = format!("{} {}", say("name"), say("version"));
        crates.insert(format!("{name}: {}", say("license")));
        let folder = Path::new(package["manifest_path"].as_str().unwrap_or_default()).parent();
        for text in folder.map(licence_files).unwrap_or_default() {
            texts.entry(text).or_default().insert(name.clone());
        }
    }
    let mut told = "What others wrote and is compiled into this program.\n\n".to_owned();
    for one in crates {
        writeln!(told, "  {one}")?;
    }
    for (text, of) in texts {
        let of: Vec<String> = of.into_iter().collect();
        write!(told, "\n{}\n{}:\n\n{}\n", "-".repeat(80), of.join(", "), text.trim_end())?;
    }
    Ok(told)
}

/// The ids of the launcher and of all that it is linked with, without what only builds or tests it.
fn compiled_in<'a>(metadata: &'a Value, by_id: &BTreeMap<&'a str, &Value>) -> Result<BTreeSet<&'a str>> {
    let is_ours = |id: &&str| by_id.get(id).is_some_and(|package| package["name"] == "launcher");
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"])
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let mut open: Vec<&str> = vec![nodes.keys().copied().find(is_ours).context("cargo names no launcher")?];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        let Some(node) = nodes.get(id).filter(|_| seen.insert(id)) else { continue };
        let is_linked = |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
        let linked = list(&node["deps"]).iter().filter(is_linked);
        open.extend(linked.filter_map(|dep| dep["pkg"].as_str()));
    }
    Ok(seen)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn licence_files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_licence = |name: &str| NAMES.iter().any(|begin| name.to_lowercase().starts_with(begin));
    let files =
        entries.filter_map(Result::ok).filter(|entry| entry.file_name().to_str().is_some_and(is_licence));
    files
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .map(|text| text.replace('\r', ""))
        .collect()
}
