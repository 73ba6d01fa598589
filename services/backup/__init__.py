"""遠隔地データバックアップ: keeps municipalities' restic repositories so that they are proven to come back."""
