"""The files of a data-quality monitor, with the fields that Amazon SageMaker gives them.

They live here and not with the rest of AWS because the analyzer makes and reads them: it runs
without AWS, and AWS is a layer above. `mlref.aws.formats` offers them under AWS's file names.
"""

__all__: list[str] = []
