//! For Linux: a Debian package, and an archive that is unpacked anywhere.

use anyhow::{Context as _, Result};

use super::tree::Tree;
use super::{Parts, archive, program};

/// What the window loads when it starts, and what the network believes in; eframe loads the libraries by name, so nothing
/// but this list tells of them.
const DEPENDS: &str = "libgcc-s1, ca-certificates, libx11-6, libx11-xcb1, libxcursor1, libxi6, libxkbcommon-x11-0, libgl1, \
                       libegl1, libgl1-mesa-dri";
const DESKTOP: &str = include_str!("files/desktop");
const MIME: &str = include_str!("files/mime.xml");
const REGISTER: &str = include_str!("files/register");
/// Our icon in each size that menus ask for.
const ICONS: [(&str, &[u8]); 6] = [
    ("16x16", include_bytes!("../../../launcher/assets/icon/samara-16.png")),
    ("32x32", include_bytes!("../../../launcher/assets/icon/samara-32.png")),
    ("48x48", include_bytes!("../../../launcher/assets/icon/samara-48.png")),
    ("64x64", include_bytes!("../../../launcher/assets/icon/samara-64.png")),
    ("128x128", include_bytes!("../../../launcher/assets/icon/samara-128.png")),
    ("256x256", include_bytes!("../../../launcher/assets/icon/samara-256.png")),
];
const ICON: &[u8] = include_bytes!("../../../launcher/assets/icon/samara.svg");

pub(super) fn packages(parts: &Parts) -> Result<Vec<(String, Vec<u8>)>> {
    let Parts { slug, version, time, .. } = parts;
    let data = installed(parts)?;
    let mut control = Tree::default();
    control.add("control", about(parts, &data)?);
    Ok(vec![
        (format!("{slug}_{version}_amd64.deb"), archive::deb(&control, &data, *time)?),
        (
            format!("{slug}-{version}-linux-x86_64.tar.gz"),
            archive::gzip(&archive::tar(&portable(parts), &format!("{slug}-{version}/"), *time)?)?,
        ),
    ])
}

/// What a desktop is told, below a `share` folder.
fn share(parts: &Parts) -> Tree {
    let Parts { slug, name, .. } = parts;
    let mut share = Tree::default();
    let desktop = DESKTOP.replace("@NAME@", name).replace("@SLUG@", slug);
    share.add(format!("applications/{slug}.desktop"), desktop);
    share.add(format!("mime/packages/{slug}.xml"), MIME);
    let icons = "icons/hicolor";
    if let Some(icon) = &parts.icon {
        // Of whatever size: desktops scale it to what the folder says.
        share.add(format!("{icons}/256x256/apps/{slug}.png"), icon.clone());
    } else {
        for (size, png) in ICONS {
            share.add(format!("{icons}/{size}/apps/{slug}.png"), png);
        }
        share.add(format!("{icons}/scalable/apps/{slug}.svg"), ICON);
    }
    share
}

/// What the Debian package brings.
fn installed(parts: &Parts) -> Result<Tree> {
    let Parts { slug, .. } = parts;
    let mut tree = Tree::default();
    tree.graft("usr/share", &share(parts));
    // The program with its brand beside it, and the command: two studios' launchers do not meet.
    tree.graft(&format!("usr/lib/{slug}"), &parts.brand);
    tree.add_program(format!("usr/lib/{slug}/samara"), parts.program.clone());
    tree.link(format!("usr/bin/{slug}"), format!("../lib/{slug}/samara"));
    let doc = format!("usr/share/doc/{slug}");
    for (name, _) in parts.licences.nodes() {
        let Some(bytes) = parts.licences.get(name) else { continue };
        match name {
            // Where Debian looks for it.
            "COPYRIGHT" => tree.add(format!("{doc}/copyright"), bytes),
            "THIRD-PARTY" => tree.add(format!("{doc}/{name}.gz"), archive::gzip(&bytes)?),
            _ => tree.add(format!("{doc}/{name}"), bytes),
        }
    }
    Ok(tree)
}

/// What is unpacked anywhere.
fn portable(parts: &Parts) -> Tree {
    let mut tree = Tree::default();
    tree.graft("share", &share(parts));
    for (path, _) in parts.brand.nodes() {
        parts.brand.get(path).into_iter().for_each(|bytes| tree.add(path, bytes));
    }
    tree.add_program("samara", parts.program.clone());
    tree.add_program("register", REGISTER.replace("@SLUG@", &parts.slug));
    tree.graft("licences", &parts.licences);
    tree
}

/// Debian's control file.
fn about(parts: &Parts, data: &Tree) -> Result<String> {
    let Parts { slug, name, contact, version, program, .. } = parts;
    let libc = program::libc_version(program).context("the launcher names no C library")?;
    let kib = data.len_bytes().div_ceil(1024);
    Ok(format!(
        "Package: {slug}\nVersion: {version}\nArchitecture: amd64\nMaintainer: {name} <{contact}>\n\
         Installed-Size: {kib}\nDepends: libc6 (>= {libc}), {DEPENDS}\n\
         Recommends: desktop-file-utils, shared-mime-info\nSection: games\nPriority: optional\n\
         Description: installs games and keeps them up to date\n \
         Games come from their studio and from other players at once; every block is\n \
         checked against the studio's signature.\n"
    ))
}
