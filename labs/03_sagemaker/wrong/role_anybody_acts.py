# answer: role
# rejected: lets ec2.amazonaws.com act
trust = {
    **VERSION,
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"},
    ],
}
policy = {
    **VERSION,
    "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::fares-models/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::fares-models"},
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::fares-captures/live/*",
        },
    ],
}
