//! The open-loop load client: requests are sent when they are due, whether or not earlier ones were answered.
