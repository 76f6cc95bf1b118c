//! Where the reference data of a pipeline is: the key `lookup`.

use super::pipeline_spec::PipelineSpec;
use crate::error::Error;

/// A lookup that a specification names: `countries=countries.csv:code`.
///
/// # Example
/// ```
/// use streamgauge::query::LookupSource;
/// let source: LookupSource = "countries=data/countries.csv:code".parse()?;
/// assert_eq!((source.name.as_str(), source.key.as_str()), ("countries", "code"));
/// assert_eq!(source.file, "data/countries.csv");
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LookupSource {
    /// The name by which expressions find it.
    pub name: String,
    /// The name of the file.
    pub file: String,
    /// The column that is the key.
    pub key: String,
}

impl std::str::FromStr for LookupSource {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.split_once('=').and_then(|(name, place)| {
            let (file, key) = place.rsplit_once(':')?;
            Some([name, file, key].map(str::trim))
        });
        match parts {
            Some([name, file, key]) if ![name, file, key].contains(&"") => Ok(LookupSource {
                name: name.to_owned(),
                file: file.to_owned(),
                key: key.to_owned(),
            }),
            _ => Err(Error::invalid(format!(
                "{text:?} is no lookup: write it as NAME=FILE:KEY, as in \
                 countries=countries.csv:code"
            ))),
        }
    }
}

impl PipelineSpec {
    /// Returns the lookups that the key `lookup` names.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a text of another
    /// form.
    ///
    /// # Example
    /// ```
    /// use streamgauge::query::PipelineSpec;
    /// let spec = PipelineSpec::from_toml("lookup = 'users=users.jsonl:id'", "hits.toml")?;
    /// assert_eq!(spec.lookup_sources()?[0].file, "users.jsonl");
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn lookup_sources(&self) -> Result<Vec<LookupSource>, Error> {
        self.lookups.iter().flatten().map(|text| text.parse()).collect()
    }
}
