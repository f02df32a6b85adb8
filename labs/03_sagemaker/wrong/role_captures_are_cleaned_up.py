# answer: role
# rejected: also allows s3:DeleteObject
trust = {
    **VERSION,
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    ],
}
policy = {
    **VERSION,
    "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::fares-models/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::fares-models"},
        {
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:Delete*"],
            "Resource": "arn:aws:s3:::fares-captures/live/*",
        },
    ],
}
