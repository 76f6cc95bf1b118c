//! The declared pipeline: event time, filter, window, aggregate, and the builder that a user meets.
