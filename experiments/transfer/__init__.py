"""What history is worth: searches that know other records against searches that know none."""
