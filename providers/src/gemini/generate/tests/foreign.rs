//! What conversations and answers of other formats become.
