//! The fields that a pipeline names, each in a slot.

/// Names of fields by slot, in the order in which they were first named.
///
/// A name is that of a member at the top of the record (a JSON member, a column), or a JSON pointer
/// (RFC 6901), which begins with a slash: `/user/id`. A name that itself begins with a slash is
/// kept as the pointer to it, `/~1name`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    names: Vec<String>,
}

impl Fields {
    /// The slot of a field, a new one if it was not named before. Cost: O(fields), which people
    /// write by hand.
    pub(crate) fn slot(&mut self, name: &str) -> usize {
        match self.names.iter().position(|known| known == name) {
            Some(slot) => slot,
            None => {
                self.names.push(name.into());
                self.names.len() - 1
            }
        }
    }

    /// The name in a slot.
    pub(crate) fn name(&self, slot: usize) -> &str {
        self.names.get(slot).map_or("", String::as_str)
    }

    /// All names, by slot.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

/// The pointer to a member at the top whose name could be mistaken for a pointer; other names as
/// they are.
pub(crate) fn quoted_name(name: &str) -> String {
    if name.starts_with('/') {
        format!("/{}", name.replace('~', "~0").replace('/', "~1"))
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_one_slot_however_often_it_is_named() {
        let mut fields = Fields::default();
        assert_eq!((fields.slot("a"), fields.slot("/a"), fields.slot("a")), (0, 1, 0));
        assert_eq!((fields.name(1), fields.name(7)), ("/a", ""));
    }

    #[test]
    fn a_quoted_name_is_no_pointer() {
        assert_eq!(quoted_name("with space"), "with space");
        assert_eq!(quoted_name("/a~b"), "/~1a~0b");
    }
}
