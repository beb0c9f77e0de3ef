//! The plan as a JSON document: read with exact positions of every mistake, written without what says nothing.
