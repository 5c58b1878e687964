#include <hmtl.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    const char *text = "Ingrid Solberg was born in Bergen, Norway. She joined the University of Oslo in 2009.";
    hmtl_model *model = NULL;
    char *json = NULL;
    hmtl_error *error = hmtl_model_load(NULL, NULL, &model);
    if (error == NULL)
        error = hmtl_model_annotate(model, text, strlen(text), NULL, &json);
    puts(error == NULL ? json : hmtl_error_message(error));
    int status = error != NULL;
    hmtl_string_free(json);
    hmtl_model_free(model);
    hmtl_error_free(error);
    return status;
}
