"""What people do with e-application, one function per verb. None of them commits."""
