//! For Windows: a folder in a zip that runs where it is unpacked, and makes itself a program of its user when asked.

use anyhow::{Context as _, Result};
use launcher::setup::package::{COMMAND, ICON, LIST, WINDOW};

use super::tree::Tree;
use super::{Parts, archive};

const SETUP: &str = include_str!("files/setup.cmd");
/// Our icon in each size that Windows asks for, its width first.
const ICONS: [(u8, &[u8]); 4] = [
    (16, include_bytes!("../../../launcher/assets/icon/samara-16.png")),
    (32, include_bytes!("../../../launcher/assets/icon/samara-32.png")),
    (48, include_bytes!("../../../launcher/assets/icon/samara-48.png")),
    // 256 stands as 0.
    (0, include_bytes!("../../../launcher/assets/icon/samara-256.png")),
];

pub(super) fn packages(parts: &Parts) -> Result<Vec<(String, Vec<u8>)>> {
    let Parts { slug, version, time, .. } = parts;
    let name = format!("{slug}-{version}");
    let zip = archive::zip(&portable(parts)?, &format!("{name}/"), *time)?;
    Ok(vec![(format!("{name}-windows-x86_64.zip"), zip)])
}

fn portable(parts: &Parts) -> Result<Tree> {
    let mut tree = Tree::default();
    for (path, _) in parts.brand.nodes() {
        parts.brand.get(path).into_iter().for_each(|bytes| tree.add(path, bytes));
    }
    tree.add(COMMAND, parts.program.clone());
    tree.add(WINDOW, without_console(parts.program.clone())?);
    tree.add(ICON, parts.icon.as_ref().map_or_else(|| ico(&ICONS), |icon| ico(&[(0, icon)])));
    tree.add("setup.cmd", SETUP.replace("@SLUG@", &parts.slug).replace('\n', "\r\n"));
    tree.graft("licences", &parts.licences);
    // What setting up copies, and removing removes.
    let mut list: String = tree.nodes().map(|(path, _)| format!("{path}\n")).collect();
    list.push_str(LIST);
    tree.add(LIST, list + "\n");
    Ok(tree)
}

/// The same program as one that opens no console: a field in its header (PE, optional header) says which it is.
fn without_console(mut program: Vec<u8>) -> Result<Vec<u8>> {
    /// Where the file says where the header is, and the field from there.
    const HEADER_AT: usize = 0x3c;
    const SUBSYSTEM_AT: usize = 4 + 20 + 68;
    const OF_WINDOWS: [u8; 2] = [2, 0];
    const OF_CONSOLES: [u8; 2] = [3, 0];
    let header =
        program.get(HEADER_AT..HEADER_AT + 4).and_then(|at| at.try_into().ok()).map(u32::from_le_bytes);
    let at = usize::try_from(header.context("the launcher is no program for Windows")?)?;
    let is_pe = program.get(at..at + 4) == Some(b"PE\0\0");
    let subsystem =
        program.get_mut(at + SUBSYSTEM_AT..at + SUBSYSTEM_AT + 2).filter(|found| **found == OF_CONSOLES);
    let subsystem =
        subsystem.filter(|_| is_pe).context("the launcher is no program for Windows's consoles")?;
    subsystem.copy_from_slice(&OF_WINDOWS);
    Ok(program)
}

/// An icon file of PNGs: a head, an entry of 16 bytes for each, then they.
fn ico(pictures: &[(u8, &[u8])]) -> Vec<u8> {
    let count = pictures.len();
    let mut ico = vec![0, 0, 1, 0];
    ico.extend(u16::try_from(count).unwrap_or_default().to_le_bytes());
    let mut at = 6 + 16 * count;
    for (width, png) in pictures {
        ico.extend([*width, *width, 0, 0, 1, 0, 32, 0]);
        for number in [png.len(), at] {
            ico.extend(u32::try_from(number).unwrap_or_default().to_le_bytes());
        }
        at += png.len();
    }
    pictures.iter().for_each(|(_, png)| ico.extend_from_slice(png));
    ico
}
