"""電子申請: procedures, applications, decisions of each municipality."""
