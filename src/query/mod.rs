//! The language of pipelines: fields, expressions, predicates, and the pipeline as a file. What a
//! query means is here; how it runs over rows is in [`rows`](crate::rows).

pub(crate) mod expression;
pub(crate) mod field;
pub(crate) mod literal;
pub(crate) mod null_list;
pub(crate) mod pipeline_spec;
pub(crate) mod predicate;
pub(crate) mod token;

pub use pipeline_spec::PipelineSpec;
