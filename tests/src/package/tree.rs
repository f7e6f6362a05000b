//! Files to pack, in the order of their names.

use std::collections::{BTreeMap, BTreeSet};

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    File {
        bytes: Vec<u8>,
        executable: bool,
    },
    /// A symbolic link.
    Link(String),
}

/// Files by their paths, which have `/` between their parts and none at either end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tree(BTreeMap<String, Node>);

impl Tree {
    pub(super) fn add(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), Node::File { bytes: bytes.into(), executable: false });
    }

    pub(super) fn add_program(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), Node::File { bytes: bytes.into(), executable: true });
    }

    pub(super) fn link(&mut self, path: impl Into<String>, to: impl Into<String>) {
        self.0.insert(path.into(), Node::Link(to.into()));
    }

    /// Takes all of another tree below a folder.
    pub(super) fn graft(&mut self, folder: &str, other: &Self) {
        let moved = other.0.iter().map(|(path, node)| (format!("{folder}/{path}"), node.clone()));
        self.0.extend(moved);
    }

    pub(super) fn get(&self, path: &str) -> Option<Vec<u8>> {
        match self.0.get(path) {
            Some(Node::File { bytes, .. }) => Some(bytes.clone()),
            _ => None,
        }
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Every folder that something lies in, those above first.
    pub(super) fn folders(&self) -> BTreeSet<&str> {
        let of = |path: &str| path.match_indices('/').map(|(at, _)| at).collect::<Vec<_>>();
        self.0.keys().flat_map(|path| of(path).into_iter().filter_map(move |at| path.get(..at))).collect()
    }

    pub(super) fn len_bytes(&self) -> usize {
        let len = |node: &Node| if let Node::File { bytes, .. } = node { bytes.len() } else { 0 };
        self.0.values().map(len).sum()
    }
}
