"""The check itself. It runs on customers' machines: Python 3.8, the standard library, and nothing else of op25b.

`op25b.doctor.download` makes one file of these modules. So they share one name space: no name is given twice, and they
import each other's names, never each other.
"""
