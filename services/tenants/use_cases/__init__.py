"""What can be done with the registry: one function per verb, one file per subject. Nobody here commits or reads the clock."""
