//! The fields that a pipeline names, as a tree of JSON keys.

use crate::error::Error;
use smallvec::SmallVec;

/// The index of a node of the tree.
pub(crate) type NodeIndex = u32;

/// No node: neither this value nor anything below it is requested.
pub(crate) const NONE: NodeIndex = NodeIndex::MAX;

/// Fields by the path to them. Created once. Looking up a key compares it with the keys at its
/// level.
#[derive(Clone, Debug)]
pub(crate) struct FieldTree {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// The slots that this value fills: several if it is named both as `a` and as `/a`.
    slots: SmallVec<[usize; 2]>,
    /// The slots that this value fills if nothing else does: of `host.name`, where a record has no
    /// member of that name but a member `name` of the member `host`.
    fallbacks: SmallVec<[usize; 2]>,
    /// The slots of all fields below it, apart from fallbacks.
    slots_below: Vec<usize>,
    children: Vec<(Box<[u8]>, NodeIndex)>,
}

impl FieldTree {
    /// Creates the tree of names and RFC 6901 pointers, by slot.
    pub(crate) fn new<S: AsRef<str>>(fields: &[S], depth_max: usize) -> Result<Self, Error> {
        let mut tree = FieldTree { nodes: vec![Node::default()] };
        for (slot, field) in fields.iter().enumerate() {
            let path = path_of(field.as_ref())?;
            if path.len() > depth_max {
                return Err(Error::invalid(format!(
                    "the field {:?} is {} levels deep; records nest at most {depth_max} levels",
                    field.as_ref(),
                    path.len()
                )));
            }
            let mut node = tree.root();
            for key in &path {
                tree.nodes[node as usize].slots_below.push(slot);
                node = tree.child_or_new(node, key);
            }
            tree.nodes[node as usize].slots.push(slot);
            let nested: Vec<&str> = field.as_ref().split('.').collect();
            if field.as_ref().starts_with('/') || nested.len() == 1 || nested.len() > depth_max {
                continue;
            }
            let node = nested.iter().fold(tree.root(), |node, key| tree.child_or_new(node, key));
            tree.nodes[node as usize].fallbacks.push(slot);
        }
        Ok(tree)
    }

    fn child_or_new(&mut self, node: NodeIndex, key: &str) -> NodeIndex {
        match self.child(node, key.as_bytes()) {
            NONE => {
                let index = self.nodes.len() as NodeIndex;
                self.nodes.push(Node::default());
                self.nodes[node as usize].children.push((key.as_bytes().into(), index));
                index
            }
            known => known,
        }
    }

    pub(crate) fn root(&self) -> NodeIndex {
        0
    }

    /// Returns the node of a member, or [`NONE`].
    #[inline]
    pub(crate) fn child(&self, node: NodeIndex, key: &[u8]) -> NodeIndex {
        let children = &self.nodes[node as usize].children;
        children.iter().find(|(name, _)| **name == *key).map_or(NONE, |(_, child)| *child)
    }

    /// Returns the node of an array element, or [`NONE`]. An index has no leading zeros (RFC 6901,
    /// section 4).
    pub(crate) fn element(&self, node: NodeIndex, index: usize) -> NodeIndex {
        let names_it = |name: &[u8]| {
            std::str::from_utf8(name).is_ok_and(|name| {
                (name == "0" || !name.starts_with(['0', '+'])) && name.parse() == Ok(index)
            })
        };
        let children = &self.nodes[node as usize].children;
        children.iter().find(|(name, _)| names_it(name)).map_or(NONE, |(_, child)| *child)
    }

    #[inline]
    pub(crate) fn has_children(&self, node: NodeIndex) -> bool {
        !self.nodes[node as usize].children.is_empty()
    }

    #[inline]
    pub(crate) fn slots(&self, node: NodeIndex) -> &[usize] {
        &self.nodes[node as usize].slots
    }

    /// Returns the slots that the value fills if they are missing.
    #[inline]
    pub(crate) fn fallbacks(&self, node: NodeIndex) -> &[usize] {
        &self.nodes[node as usize].fallbacks
    }

    /// Returns the node's slot, if it has exactly one and none below it.
    pub(crate) fn only_slot(&self, node: NodeIndex) -> Option<usize> {
        match self.slots(node) {
            [slot] if !self.has_children(node) && self.fallbacks(node).is_empty() => Some(*slot),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn slots_below(&self, node: NodeIndex) -> &[usize] {
        &self.nodes[node as usize].slots_below
    }
}

/// Returns the keys that lead to a field: the field itself, or the tokens of a pointer that begins
/// with `/`.
pub(crate) fn path_of(field: &str) -> Result<Vec<String>, Error> {
    let Some(pointer) = field.strip_prefix('/') else { return Ok(vec![field.to_owned()]) };
    pointer.split('/').map(|token| token_of(token, field)).collect()
}

fn token_of(token: &str, field: &str) -> Result<String, Error> {
    let mut text = String::with_capacity(token.len());
    let mut rest = token.chars();
    while let Some(char) = rest.next() {
        match (char, char == '~') {
            (_, true) => match rest.next() {
                Some('0') => text.push('~'),
                Some('1') => text.push('/'),
                _ => {
                    return Err(Error::invalid(format!(
                        "{field:?} is not a JSON pointer: ~ must be written ~0, and a / inside of a key ~1"
                    )));
                }
            },
            (plain, false) => text.push(plain),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_unescaped_once() {
        assert_eq!(path_of("/a~1b/~01/").unwrap(), ["a/b", "~1", ""]);
        assert_eq!(path_of("a/b").unwrap(), ["a/b"]);
        assert_eq!(path_of("/").unwrap(), [""]);
        assert!(path_of("/a~").is_err() && path_of("/a~2").is_err());
    }

    #[test]
    fn a_pointer_deeper_than_records_go_is_refused() {
        assert!(FieldTree::new(&["/a/b/c"], 3).is_ok());
        let error = FieldTree::new(&["/a/b/c"], 2).unwrap_err();
        assert!(error.message().contains("3 levels deep"), "{error}");
    }

    #[test]
    fn one_value_fills_all_slots_that_name_it() {
        let tree = FieldTree::new(&["a", "/a", "/a/b", "/c/0"], 9).unwrap();
        let a = tree.child(tree.root(), b"a");
        assert_eq!(tree.slots(a), [0, 1]);
        assert_eq!(tree.slots_below(a), [2]);
        let c = tree.child(tree.root(), b"c");
        assert_eq!(tree.slots(tree.element(c, 0)), [3]);
        assert_eq!(tree.element(c, 1), NONE);
    }
}
