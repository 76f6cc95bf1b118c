//! The fields that a pipeline names, each with a slot.

/// Names of fields by slot, in the order in which the pipeline first names them.
///
/// A name is the name of a top-level member of the record (a JSON member, a column), or a JSON
/// pointer (RFC 6901), which begins with a slash: `/user/id`. A member whose name begins with a
/// slash is stored as the pointer to it, `/~1name`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    names: Vec<String>,
}

impl Fields {
    /// Returns the slot of a field, and adds the field if it is new. Cost: O(fields), and people
    /// write the list of fields by hand.
    pub(crate) fn slot(&mut self, name: &str) -> usize {
        match self.names.iter().position(|known| known == name) {
            Some(slot) => slot,
            None => {
                self.names.push(name.into());
                self.names.len() - 1
            }
        }
    }

    /// Returns the slot of a field that is known.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// Returns the name in a slot.
    pub(crate) fn name(&self, slot: usize) -> &str {
        self.names.get(slot).map_or("", String::as_str)
    }

    /// Returns all names, by slot.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

/// Returns the JSON pointer to a top-level member.
pub(crate) fn pointer_to(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Returns the name of a member of a field. A plain name of a plain field is joined with a point,
/// as it is written; everything else is a JSON pointer.
pub(crate) fn member_of(field: &str, member: &str, is_word: bool) -> String {
    if is_word && !field.starts_with('/') {
        return format!("{field}.{member}");
    }
    let parent = match field.strip_prefix('/') {
        Some(_) => field.to_owned(),
        // Every point that was written so far is between two members.
        None => field.split('.').map(pointer_to).collect(),
    };
    parent + &pointer_to(member)
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
    fn members_are_joined_by_points_or_pointers() {
        assert_eq!(member_of("host", "name", true), "host.name");
        assert_eq!(member_of("tags", "0", false), "/tags/0");
        assert_eq!(member_of("a.b", "0", false), "/a/b/0");
        assert_eq!(member_of("/a/0", "x", true), "/a/0/x");
        assert_eq!(member_of("a", "x/y~", false), "/a/x~1y~0");
    }
}
