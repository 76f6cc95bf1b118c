//! The language of pipelines: fields, expressions, predicates, and the pipeline as a file. This
//! room defines the meaning of a query; [`rows`](crate::rows) runs it.

pub(crate) mod aggregates;
pub(crate) mod expression;
pub(crate) mod field;
pub(crate) mod lets;
pub(crate) mod literal;
mod lookup_source;
pub(crate) mod null_list;
pub(crate) mod pipeline_spec;
mod queries;
mod statement;
pub(crate) mod token;

pub use lookup_source::LookupSource;
pub use pipeline_spec::PipelineSpec;
pub use statement::SqlStatement;
