//! Any tree to any other, over any damage: the result is the new tree and the player's files.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::world::*;
use crate::path::{SafePath, SafePathSet};
use crate::plan::PlanOptions;
use crate::verify::{Depth, survey, wounds};

/// Few names, so that trees meet in files and folders; contents of few blocks, so that they share some.
fn any_tree() -> impl Strategy<Value = Tree> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let path = vec(name, 1..4).prop_map(|parts| parts.join("/"));
    let data = prop_oneof![
        "[xyz]{0,2}".prop_map(String::into_bytes),
        "[abc]{1,4}".prop_map(|letters| match blocks(&letters) {
            Node::File(data, _) => data,
            Node::Link(_) => Vec::new(),
        }),
        "[abc]{3,4}".prop_map(|letters| match blocks(&letters) {
            Node::File(mut data, _) => {
                data.truncate(data.len() - 5);
                data
            }
            Node::Link(_) => Vec::new(),
        }),
    ];
    let node =
        (data, any::<bool>()).prop_map(|(data, executable)| Node::File(data, executable && cfg!(unix)));
    btree_map(path, node, 0..8).prop_map(|tree| {
        let mut names = SafePathSet::new();
        tree.into_iter().filter(|(path, _)| names.insert(&SafePath::parse(path).unwrap()).is_ok()).collect()
    })
}

/// What happens to an installed file: by position, how.
fn any_damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    vec((any::<prop::sample::Index>(), 0u8..5), 0..4)
}

fn damage(root: &std::path::Path, tree: &Tree, damage: &[(prop::sample::Index, u8)]) {
    let paths: Vec<&String> = tree.keys().collect();
    for (which, how) in damage.iter().filter(|_| !paths.is_empty()) {
        let at = root.join(which.get(&paths));
        let Ok(mut data) = std::fs::read(&at) else { continue };
        match how {
            0 => std::fs::remove_file(&at).unwrap(),
            1 => {
                let middle = data.len() / 2;
                data.get_mut(middle).into_iter().for_each(|byte| *byte ^= 1);
                std::fs::write(&at, data).unwrap();
            }
            2 => std::fs::write(&at, [&data[..], b"more"].concat()).unwrap(),
            3 => std::fs::write(&at, &data[..data.len() / 2]).unwrap(),
            _ => {
                std::fs::remove_file(&at).unwrap();
                std::fs::create_dir(&at).unwrap();
                std::fs::write(at.join("mine"), "mine").unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_update_gives_the_new_tree(old in any_tree(), new in any_tree(), harm in any_damage(), full: bool) {
        let (old, new) = (release(1, &old), release(2, &new));
        let (temp, dir) = installed(&old);
        damage(temp.path(), &old.tree, &harm);
        let depth = if full { Depth::Full } else { Depth::Quick };
        let plan = plan_for(&dir, &new, depth, options());
        let listed: u64 = new.target.manifest.files.iter().map(|file| file.identity.len).sum();
        let costs = plan.costs;
        let shared = plan.ops.iter().zip(&new.target.manifest.files);
        prop_assert_eq!(costs.bytes_kept + costs.bytes_local + costs.bytes_fetch, listed);
        prop_assert!(shared.count() == new.target.manifest.files.len());
        let (applied, fetched) = update(&dir, &new, depth, options()).unwrap();
        prop_assert_eq!(fetched, costs.bytes_fetch);
        prop_assert!(applied.damaged.is_empty());
        let mut found = without_kept(read_tree(temp.path()));
        // A folder the player made in place of a removed file is left where it is.
        found.retain(|path, _| new.tree.contains_key(path) || !path.ends_with("/mine"));
        prop_assert_eq!(&found, &new.tree);
        prop_assert!(plan_for(&dir, &new, Depth::Quick, options()).is_nothing());
        prop_assert!(plan_for(&dir, &new, Depth::Full, options()).is_nothing());
    }

    #[test]
    fn any_damage_is_found_and_healed(tree in any_tree(), harm in any_damage()) {
        let release = release(1, &tree);
        let (temp, dir) = installed(&release);
        damage(temp.path(), &release.tree, &harm);
        let local = survey(&dir, &release.target.manifest, Depth::Full, 2, &()).unwrap();
        let found = wounds(&local, &release.target.manifest, &release);
        let differs = read_tree(temp.path()) != release.tree;
        prop_assert_eq!(!found.is_empty(), differs);
        let worst: u64 = found.iter().map(|wound| wound.bytes(&release.target.manifest.files[wound.index])).sum();
        let repair = PlanOptions { keep_changed: false, ..options() };
        let (_, fetched) = update(&dir, &release, Depth::Full, repair).unwrap();
        prop_assert!(fetched <= worst, "{} of {}", fetched, worst);
        let local = survey(&dir, &release.target.manifest, Depth::Full, 1, &()).unwrap();
        prop_assert_eq!(wounds(&local, &release.target.manifest, &release), []);
    }
}
