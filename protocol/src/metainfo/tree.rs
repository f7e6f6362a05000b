//! Files as torrents describe them: the `file tree` of BEP 52, the entries of BEP 3, the attributes of BEP 47.

use super::parse::check_path;
use super::{FileEntry, MAX_PATH_DEPTH, MetainfoError};
use crate::bencode::Value;
use crate::units::Root;

/// The fields of a file that v1 and v2 share.
pub(super) struct Attributes {
    pub(super) len: u64,
    pub(super) pad: bool,
    executable: bool,
    hidden: bool,
    symlink: Option<Vec<String>>,
}

impl Attributes {
    pub(super) fn read(file: &Value<'_>) -> Result<Attributes, MetainfoError> {
        let len = file.get("length").and_then(Value::as_uint).ok_or(MetainfoError::Field("length"))?;
        let attr = file.get("attr").map(|attr| attr.as_bytes().ok_or(MetainfoError::Field("attr")));
        let attr = attr.transpose()?.unwrap_or_default();
        let symlink =
            attr.contains(&b'l').then(|| file.get("symlink path").map(path)).flatten().transpose()?;
        if symlink.is_some() && len > 0 {
            return Err(MetainfoError::Field("symlink path"));
        }
        let has = |flag| attr.contains(&flag);
        Ok(Attributes { len, pad: has(b'p'), executable: has(b'x'), hidden: has(b'h'), symlink })
    }

    pub(super) fn entry(self, path: Vec<String>, offset: u64) -> FileEntry {
        let Attributes { len, executable, hidden, symlink, .. } = self;
        FileEntry { path, len, offset, root: None, executable, hidden, symlink }
    }
}

/// A list of names, safe to become a path.
pub(super) fn path(list: &Value<'_>) -> Result<Vec<String>, MetainfoError> {
    let names = list.as_list().ok_or(MetainfoError::Field("path"))?;
    let path: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
    let path = path.ok_or(MetainfoError::Field("path"))?;
    check_path(&path)?;
    Ok(path)
}

/// Appends the files of a tree in its order. Offsets are still to be given.
pub(super) fn read(
    tree: &Value<'_>,
    parents: &mut Vec<String>,
    files: &mut Vec<FileEntry>,
) -> Result<(), MetainfoError> {
    if parents.len() >= MAX_PATH_DEPTH {
        return Err(MetainfoError::UnsafeName(parents.first().cloned().unwrap_or_default()));
    }
    for (name, node) in tree.as_dict().ok_or(MetainfoError::Field("file tree"))? {
        let unsafe_name =
            || MetainfoError::UnsafeName(String::from_utf8_lossy(name).chars().take(80).collect());
        parents.push(str::from_utf8(name).map_err(|_| unsafe_name())?.to_owned());
        match node.get("") {
            Some(file) if node.as_dict().is_some_and(|node| node.len() == 1) => {
                files.push(leaf(file, parents)?);
            }
            Some(_) => return Err(MetainfoError::Field("file tree")),
            None => read(node, parents, files)?,
        }
        parents.pop();
    }
    Ok(())
}

fn leaf(file: &Value<'_>, path: &[String]) -> Result<FileEntry, MetainfoError> {
    check_path(path)?;
    let attributes = Attributes::read(file)?;
    if attributes.pad {
        return Err(MetainfoError::Field("attr"));
    }
    let root = file.get("pieces root").map(|root| root.as_bytes().and_then(Root::from_slice));
    let root = match (root, attributes.len) {
        (Some(Some(root)), 1..) => Some(root),
        (None, 0) => None,
        _ => return Err(MetainfoError::Field("pieces root")),
    };
    Ok(FileEntry { root, ..attributes.entry(path.to_vec(), 0) })
}
