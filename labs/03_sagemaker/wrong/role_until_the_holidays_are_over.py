# answer: role
# rejected: also allows s3:GetObject on arn:aws:s3:::payroll
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
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    ],
}
